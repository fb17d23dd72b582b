/** Every interface of the library: where it is tried, and what it should give, with the changed weight written out. */
import * as dense from "./dense.js";
import { type Matrix, rowsOf } from "./dense.js";

/** What an adapted module computes with: slots, stored tensors and the input, row-major. */
export interface Numbers {
  readonly x: readonly number[];
  slot(name: string): readonly number[];
  /** By path; the module is `net`, and the adaptation `memory`. */
  stored(path: string): readonly number[];
}

export interface InterfaceCase {
  /** The interface as it is declared. */
  readonly name: string;
  readonly settings: string;
  readonly module: string;
  /** Of the input. */
  readonly shape: readonly number[];
  /** A larger module of the same kind, where a weight has far more numbers than a token. */
  readonly large: { readonly module: string; readonly shape: readonly number[]; readonly settings?: string };
  /** Where it does not equal its base at the start: why. */
  readonly changes?: string;
  readonly expected: (numbers: Numbers) => readonly number[];
}

const [inputs, outputs, tokens] = [8, 6, 3];

const linearBase = (numbers: Numbers) => ({
  x: rowsOf(numbers.x, inputs),
  weight: rowsOf(numbers.stored("net.weight"), inputs),
  bias: numbers.stored("net.bias"),
});

const applied = (x: Matrix, weight: Matrix, bias: readonly number[]): Matrix =>
  dense.multiply(x, dense.transpose(weight)).map((row) => row.map((y, place) => y + bias[place]!));

const onLinear = (
  name: string,
  settings: string,
  expected: (numbers: Numbers, base: ReturnType<typeof linearBase>) => Matrix,
): InterfaceCase => ({
  name,
  settings,
  module: `Linear(${inputs}, ${outputs})`,
  shape: [tokens, inputs],
  large: { module: "Linear(64, 64)", shape: [2, 64] },
  expected: (numbers) => expected(numbers, linearBase(numbers)).flat(),
});

/** An interface that comes to another weight. */
const reweighed = (
  name: string,
  settings: string,
  weightOf: (numbers: Numbers, weight: Matrix) => Matrix,
): InterfaceCase =>
  onLinear(name, settings, (numbers, { x, weight, bias }) => applied(x, weightOf(numbers, weight), bias));

/** B A from two slots. */
const product = (numbers: Numbers, b: string, a: string, rank: number): Matrix => {
  const right = numbers.slot(a);
  return dense.multiply(rowsOf(numbers.slot(b), rank), rowsOf(right, right.length / rank));
};

const cayleys = (numbers: readonly number[], block: number): Matrix[] =>
  rowsOf(numbers, (block * (block - 1)) / 2).map((above) => dense.cayley(dense.skew(above, block)));

/** Splits an attention's projection into heads: [heads][tokens][head_dim]. */
const heads = (projected: Matrix, count: number): Matrix[] => {
  const size = projected[0]!.length / count;
  return Array.from({ length: count }, (_, head) => projected.map((row) => row.slice(head * size, (head + 1) * size)));
};

const projected = (numbers: Numbers, x: Matrix, map: string): Matrix =>
  applied(x, rowsOf(numbers.stored(`net.${map}.weight`), x[0]!.length), numbers.stored(`net.${map}.bias`));

/** Attention of two heads, given what each head finds. */
function attentionOf(
  numbers: Numbers,
  x: Matrix,
  find: (head: number, q: Matrix, k: Matrix, v: Matrix) => Matrix,
): Matrix {
  const [q, k, v] = ["q", "k", "v"].map((map) => heads(projected(numbers, x, map), 2));
  const found = q!.map((query, head) => find(head, query, k![head]!, v![head]!));
  const joined = x.map((_, token) => found.flatMap((rows) => rows[token]!));
  return projected(numbers, joined, "out");
}

const onAttention = (
  name: string,
  settings: string,
  expected: InterfaceCase["expected"],
  changes?: string,
): InterfaceCase => ({
  name,
  settings,
  module: "Attention(4, heads: 2)",
  shape: [3, 4],
  large: { module: "Attention(32, heads: 2)", shape: [2, 32] },
  ...(changes === undefined ? {} : { changes }),
  expected,
});

/** up(activation(down(x))) */
function bottleneck(numbers: Numbers, x: Matrix, activation: (value: number) => number): Matrix {
  const inner = applied(x, rowsOf(numbers.slot("down"), 4), numbers.slot("down_bias"));
  const hidden = inner.map((row) => row.map(activation));
  return applied(hidden, rowsOf(numbers.slot("up"), 3), numbers.slot("up_bias"));
}

const onMlp = (
  name: string,
  settings: string,
  expected: (numbers: Numbers, x: Matrix, y: Matrix) => Matrix,
): InterfaceCase => ({
  name,
  settings,
  module: "MLP(4, hidden: 5)",
  shape: [3, 4],
  large: { module: "MLP(64, hidden: 64)", shape: [2, 64] },
  expected: (numbers) => {
    const x = rowsOf(numbers.x, 4);
    const hidden = projected(numbers, x, "up").map((row) => row.map(gelu));
    return expected(numbers, x, projected(numbers, hidden, "down")).flat();
  },
});

const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** By its series, for small arguments. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export const cases: readonly InterfaceCase[] = [
  reweighed("LoRA", "rank: 2, alpha: 3.0", (numbers, weight) =>
    dense.add(weight, dense.scale(product(numbers, "B", "A", 2), 3 / 2)),
  ),
  reweighed("RsLoRA", "rank: 2, alpha: 3.0", (numbers, weight) =>
    dense.add(weight, dense.scale(product(numbers, "B", "A", 2), 3 / Math.SQRT2)),
  ),
  reweighed("DoRA", "rank: 2, alpha: 3.0", (numbers, weight) => {
    const direction = dense.add(weight, dense.scale(product(numbers, "B", "A", 2), 3 / 2));
    const lengths = direction.map(
      (row, o) =>
        ((1 + numbers.slot("magnitude")[o]!) * Math.sqrt(dense.dot(weight[o]!, weight[o]!))) /
        Math.sqrt(dense.dot(row, row)),
    );
    return dense.scaleRows(direction, lengths);
  }),
  reweighed("VeRA", "rank: 3", (numbers, weight) => {
    const [a, b] = [numbers.stored("memory.VeRA.A"), numbers.stored("memory.VeRA.B")];
    const change = dense.multiply(
      dense.diagonal(numbers.slot("b")),
      rowsOf(b, 3),
      dense.diagonal(numbers.slot("d")),
      rowsOf(a, inputs),
    );
    return dense.add(weight, change);
  }),
  {
    ...reweighed("RandLoRA", "rank: 2, scale: 0.5", (numbers, weight) => {
      const a = rowsOf(numbers.stored("memory.RandLoRA.A"), inputs);
      const b = rowsOf(numbers.stored("memory.RandLoRA.B"), 2);
      const [l, g] = [rowsOf(numbers.slot("l"), 2), rowsOf(numbers.slot("g"), inputs)];
      return l.reduce((sum, row, j) => {
        const basis = b.slice(j * outputs, (j + 1) * outputs);
        const change = dense.multiply(basis, dense.diagonal(row), a, dense.diagonal(g[j]!));
        return dense.add(sum, dense.scale(change, 0.5));
      }, weight);
    }),
    // It works with rank^-1 of the weight's numbers for each token.
    large: { module: "Linear(64, 64)", shape: [2, 64], settings: "rank: 16" },
  },
  reweighed("LoHa", "rank: 2, alpha: 3.0", (numbers, weight) => {
    const change = dense.hadamard(product(numbers, "B1", "A1", 2), product(numbers, "B2", "A2", 2));
    return dense.add(weight, dense.scale(change, 3 / 2));
  }),
  reweighed("LoKr", "factor: 2, rank: 3, alpha: 2.0", (numbers, weight) => {
    const change = dense.kronecker(rowsOf(numbers.slot("C"), 2), product(numbers, "B", "A", 3));
    return dense.add(weight, dense.scale(change, 2 / 3));
  }),
  reweighed("HiRA", "rank: 2", (numbers, weight) =>
    dense.add(weight, dense.hadamard(weight, product(numbers, "B", "A", 2))),
  ),
  reweighed("MiSS", "rank: 4", (numbers, weight) => {
    const d = rowsOf(numbers.slot("D"), outputs);
    return dense.combine(
      weight,
      dense.matrix(outputs, inputs, (o, i) => d[i % 4]![o]!),
      (w, change) => w + change,
    );
  }),
  reweighed("OFT", "block: 4", (numbers, weight) =>
    dense.multiply(weight, dense.blockDiagonal(cayleys(numbers.slot("Q"), 4))),
  ),
  reweighed("BOFT", "block: 2, factors: 3", (numbers, weight) => {
    const all = cayleys(numbers.slot("Q"), 2);
    let result = weight;
    for (const k of [2, 1, 0]) {
      const stride = 2 ** k;
      const blocks = all.slice(k * 4, (k + 1) * 4);
      // Input (g, b, s) is turned with the inputs of the same g and s.
      const place = (i: number) => ({ g: Math.floor(i / (2 * stride)), b: Math.floor(i / stride) % 2, s: i % stride });
      const turn = dense.matrix(inputs, inputs, (row, column) => {
        const [to, from] = [place(row), place(column)];
        return to.g === from.g && to.s === from.s ? blocks[to.g * stride + to.s]![to.b]![from.b]! : 0;
      });
      result = dense.multiply(result, turn);
    }
    return result;
  }),
  reweighed("HRA", "rank: 4", (numbers, weight) => {
    const first = rowsOf(numbers.slot("first"), inputs);
    const second = dense.add(first, rowsOf(numbers.slot("apart"), inputs));
    const reflections = first.flatMap((v, place) => [dense.reflection(v), dense.reflection(second[place]!)]);
    return dense.multiply(weight, ...reflections);
  }),
  onLinear("RoAd", "", (numbers, { x, weight, bias }) => {
    const turns = Array.from(numbers.slot("angle"), (angle, pair) => {
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      return dense.scale(
        [
          [c, -s],
          [s, c],
        ],
        numbers.slot("scale")[pair]!,
      );
    });
    const turn = dense.blockDiagonal(turns);
    return applied(
      x,
      dense.multiply(turn, weight),
      turn.map((row) => dense.dot(row, bias)),
    );
  }),
  reweighed("FourierFT", "count: 5, alpha: 7.0", (numbers, weight) => {
    const places = numbers.stored("memory.FourierFT.places");
    const change = dense.matrix(outputs, inputs, (p, q) =>
      Array.from(places).reduce((sum, place, k) => {
        const [u, v] = [Math.floor(place / inputs), place % inputs];
        return sum + numbers.slot("S")[k]! * Math.cos(2 * Math.PI * ((u * p) / outputs + (v * q) / inputs));
      }, 0),
    );
    return dense.add(weight, dense.scale(change, 7 / (outputs * inputs)));
  }),
  reweighed("C3A", "block: 2, scale: 1.5", (numbers, weight) => {
    const kernels = rowsOf(numbers.slot("K"), 2);
    const change = dense.matrix(outputs, inputs, (o, i) => {
      const kernel = kernels[Math.floor(o / 2) * (inputs / 2) + Math.floor(i / 2)]!;
      return kernel[((o % 2) - (i % 2) + 2) % 2]!;
    });
    return dense.add(weight, dense.scale(change, 1.5));
  }),
  {
    name: "ConvAdapter",
    settings: "rows: 3, columns: 2, rank: 2, alpha: 3.0",
    module: `Linear(${inputs}, ${outputs})`,
    shape: [6, inputs],
    large: { module: "Linear(64, 64)", shape: [6, 64] },
    expected: (numbers) => {
      const { x, weight, bias } = linearBase(numbers);
      const h = dense.transpose(dense.multiply(x, dense.transpose(rowsOf(numbers.slot("A"), inputs))));
      const windows = rowsOf(numbers.slot("K"), 9);
      const seen = h.map((channel, r) => {
        const around = dense.convolve(channel, [1, 3, 2], (_o, _c, i, j) => windows[r]![i * 3 + j]!, {
          outputs: 1,
          kernel: 3,
          padding: 1,
        });
        return channel.map((value, place) => value + around[place]!);
      });
      const change = dense.multiply(dense.transpose(seen), dense.transpose(rowsOf(numbers.slot("B"), 2)));
      return dense.add(applied(x, weight, bias), dense.scale(change, 3 / 2)).flat();
    },
  },
  {
    name: "ConvLoRA",
    settings: "rank: 2, alpha: 3.0",
    module: "Conv2d(3, 4, 3, stride: 2, padding: 1)",
    shape: [3, 5, 4],
    large: { module: "Conv2d(16, 16, 3, padding: 1)", shape: [16, 3, 3] },
    expected: (numbers) => {
      const [a, b] = [rowsOf(numbers.slot("A"), 27), rowsOf(numbers.slot("B"), 2)];
      const change = dense.scale(dense.multiply(b, a), 3 / 2);
      const weight = dense.add(rowsOf(numbers.stored("net.weight"), 27), change);
      const bias = numbers.stored("net.bias");
      const y = dense.convolve(numbers.x, [3, 5, 4], (o, c, i, j) => weight[o]![c * 9 + i * 3 + j]!, {
        outputs: 4,
        kernel: 3,
        stride: 2,
        padding: 1,
      });
      return y.map((value, place) => value + bias[Math.floor(place / (y.length / 4))]!);
    },
  },
  onLinear("IA3", "", (numbers, { x, weight, bias }) =>
    applied(x, weight, bias).map((row) => row.map((y, o) => y * numbers.slot("gain")[o]!)),
  ),
  onLinear("IA3", "inputs: true", (numbers, { x, weight, bias }) =>
    applied(
      x.map((row) => row.map((value, i) => value * numbers.slot("gain")[i]!)),
      weight,
      bias,
    ),
  ),
  onLinear("BitFit", "", (numbers, { x, weight, bias }) =>
    applied(
      x,
      weight,
      bias.map((value, o) => value + numbers.slot("offset")[o]!),
    ),
  ),
  ...(["RMSNorm", "LayerNorm"] as const).map(
    (norm): InterfaceCase => ({
      name: "NormTuning",
      settings: "",
      module: `${norm}(4)`,
      shape: [3, 4],
      large: { module: `${norm}(4)`, shape: [3, 4] },
      expected: (numbers) =>
        rowsOf(numbers.x, 4).flatMap((row) => {
          const middle = norm === "LayerNorm" ? row.reduce((sum, value) => sum + value, 0) / 4 : 0;
          const moved = row.map((value) => value - middle);
          const size = Math.sqrt(dense.dot(moved, moved) / 4 + 1e-6);
          const offset = norm === "LayerNorm" ? numbers.stored("net.offset") : [0, 0, 0, 0];
          return moved.map(
            (value, i) =>
              ((value / size) * numbers.stored("net.gain")[i]! + offset[i]!) * numbers.slot("gain")[i]! +
              numbers.slot("offset")[i]!,
          );
        }),
    }),
  ),
  onLinear("FiLM", "", (numbers, { x, weight, bias }) =>
    applied(x, weight, bias).map((row) => row.map((y, o) => y * numbers.slot("gain")[o]! + numbers.slot("offset")[o]!)),
  ),
  onLinear("InputGate", "rank: 2", (numbers, { x, weight, bias }) => {
    const gates = dense.multiply(x, dense.transpose(product(numbers, "B", "A", 2)));
    return dense.combine(applied(x, weight, bias), gates, (y, gate) => 2 * sigmoid(gate) * y);
  }),
  onMlp("SerialAdapter", "hidden: 3", (numbers, _x, y) => dense.add(y, bottleneck(numbers, y, gelu))),
  onMlp("ParallelAdapter", "hidden: 3, scale: 0.5", (numbers, x, y) =>
    dense.add(
      y,
      dense.scale(
        bottleneck(numbers, x, (value) => Math.max(value, 0)),
        0.5,
      ),
    ),
  ),
  onAttention("ParallelAdapter", "hidden: 3, activation: gelu", (numbers) => {
    const y = attentionOf(numbers, rowsOf(numbers.x, 4), (_head, q, k, v) => dense.attend(q, k, v));
    return dense.add(y, bottleneck(numbers, rowsOf(numbers.x, 4), gelu)).flat();
  }),
  onAttention(
    "PromptTokens",
    "length: 2",
    (numbers) => {
      const x = [...rowsOf(numbers.slot("prompt"), 4), ...rowsOf(numbers.x, 4)];
      return attentionOf(numbers, x, (_head, q, k, v) => dense.attend(q, k, v))
        .slice(2)
        .flat();
    },
    "tokens are attended to whatever they are",
  ),
  onAttention(
    "Prefix",
    "length: 2",
    (numbers) =>
      attentionOf(numbers, rowsOf(numbers.x, 4), (head, q, k, v) => {
        const own = (slot: string) => rowsOf(numbers.slot(slot), 2).slice(head * 2, head * 2 + 2);
        return dense.attend(q, [...own("K"), ...k], [...own("V"), ...v]);
      }).flat(),
    "keys draw attention whatever they are",
  ),
  onAttention("GatedPrefix", "length: 3", (numbers) => {
    const places = rowsOf(numbers.slot("places"), 4);
    const [keys, values] = ["k", "v"].map((map) => heads(projected(numbers, places, map), 2));
    return attentionOf(numbers, rowsOf(numbers.x, 4), (head, q, k, v) => {
      const gate = Math.tanh(numbers.slot("gate")[head]!);
      return dense.add(dense.attend(q, k, v), dense.scale(dense.attend(q, keys![head]!, values![head]!), gate));
    }).flat();
  }),
];
