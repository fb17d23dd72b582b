/**
 * The forms of PEFT (https://github.com/huggingface/peft, 0.21) that a change of a weight can have: their tensors, their settings, and what PEFT makes of
 * them, written out. An interface has a form if it does what the form does, whatever it and its slots are called.
 */
import { elementCount, type Shape, sameShape } from "../../../src/graph/shape.js";
import type { Numbers } from "../site-changes.js";
import type { Matrix } from "./matrices.js";
import * as matrices from "./matrices.js";

/** The module that is changed: its weight [out, in, ..window] and its bias [out], zeros where it has none. */
export interface Base {
  readonly weight: Numbers;
  readonly bias: Float64Array;
}

/** A tensor by its name in the form. Throws when there is none. */
export type Named = (name: string) => Numbers;

/** How a factor on the whole change is told: by a setting, by a larger tensor, or not at all. */
export type ScaleKind =
  | { readonly kind: "setting"; readonly name: "lora_alpha" | "alpha" }
  | { readonly kind: "tensor"; readonly key: string }
  | { readonly kind: "none" };

export type Setting = number | boolean | string;

export interface PeftForm {
  /** PEFT's name, `peft_type`. */
  readonly type: string;
  /** Distinguishes forms of one type. */
  readonly variant?: string;
  /** What it does to the weight W, for messages. */
  readonly means: string;
  /** Roles that slots play, and roles of tensors that the interface stores. */
  readonly slots: readonly string[];
  readonly stored: readonly string[];
  /** Whether tensors of these shapes can play the roles for a weight of this shape. */
  fits(shape: (role: string) => Shape, weight: Shape): boolean;
  /** PEFT's tensors, by what follows the module's path in their names. */
  encode(roles: Named, base: Base): Record<string, Numbers>;
  /** The roles of slots, from PEFT's tensors. */
  decode(tensors: Named, base: Base): Record<string, Numbers>;
  /** What PEFT makes of the module, its change being `scale` times as large. */
  change(tensors: Named, base: Base, scale: number): { readonly weight: Numbers; readonly bias: Float64Array };
  readonly scale: ScaleKind;
  /** The role that takes up a factor on the whole change, where there is a setting for one. */
  readonly absorbs?: string;
  /** Settings that follow from the tensors of one module. */
  settings(tensors: Named): Record<string, Setting>;
  /** Settings that are always so, and those that do not matter to what a finished adapter does. */
  readonly constants: Readonly<Record<string, unknown>>;
  readonly neutral: Readonly<Record<string, unknown>>;
  /** Settings that make something else of the form unless they are absent, null or false. */
  readonly unread: readonly string[];
  /** Settings of a module that are told by a list of the modules for which they are true. */
  readonly lists: Readonly<Record<string, string>>;
  /** Settings that may differ from module to module, and what they are listed under then. */
  readonly patterns: Readonly<Record<string, string>>;
  /** Tensors that belong to all modules together, by their whole names; a module of smaller sizes takes their first rows and columns. */
  readonly whole: Readonly<Record<string, string>>;
  /** The tensor that holds each role of a stored tensor. */
  readonly brings: Readonly<Record<string, string>>;
  /** Whether the module's weight says what the tensors mean. */
  readonly needsWeight: boolean;
}

const numbers = ({ rows, columns, data }: Matrix): Numbers => ({ shape: [rows, columns], data });

/** A tensor as a matrix of its first axis by all others. */
const matrixOf = ({ shape, data }: Numbers): Matrix => ({
  rows: shape[0]!,
  columns: elementCount(shape.slice(1)),
  data,
});

const reshaped = ({ data }: Numbers, shape: Shape): Numbers => ({ shape, data });

const mapped = ({ shape, data }: Numbers, change: (number: number, place: number) => number): Numbers => ({
  shape,
  data: data.map(change),
});

const [outOf, inOf] = [(weight: Shape) => weight[0]!, (weight: Shape) => weight[1]!];

const isMatrix = (weight: Shape): boolean => weight.length === 2;

/** Roles that are PEFT's tensors as they are. */
const asTheyAre = (names: Readonly<Record<string, string>>): Pick<PeftForm, "encode" | "decode"> => ({
  encode: (roles) => Object.fromEntries(Object.entries(names).map(([role, key]) => [key, roles(role)])),
  decode: (tensors) => Object.fromEntries(Object.entries(names).map(([role, key]) => [role, tensors(key)])),
});

/** A form that only adds to the weight of a linear map. */
const added =
  (addend: (tensors: Named, base: Base) => Matrix): PeftForm["change"] =>
  (tensors, base, scale) => ({
    weight: numbers(matrices.add(matrixOf(base.weight), matrices.scale(addend(tensors, base), scale))),
    bias: base.bias,
  });

const product = (tensors: Named, left: string, right: string): Matrix =>
  matrices.multiply(matrixOf(tensors(left)), matrixOf(tensors(right)));

const noScale: ScaleKind = { kind: "none" };
const plain = {
  stored: [],
  constants: {},
  neutral: {},
  unread: [],
  lists: {},
  patterns: {},
  whole: {},
  brings: {},
  needsWeight: false,
} as const;

const loraConstants = { bias: "none", fan_in_fan_out: false };
const loraNeutral = { lora_dropout: 0, init_lora_weights: true, layers_pattern: null, layers_to_transform: null };
const loraUnread = [
  "alora_invocation_tokens",
  "kasa_config",
  "layer_replication",
  "lora_bias",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "use_qalora",
];
const loraPatterns = { r: "rank_pattern", lora_alpha: "alpha_pattern" };

const lora: PeftForm = {
  ...plain,
  type: "LORA",
  means: "W + s B A",
  slots: ["A", "B"],
  fits: (shape, weight) => {
    const [r] = shape("A");
    return isMatrix(weight) && sameShape(shape("A"), [r!, inOf(weight)]) && sameShape(shape("B"), [outOf(weight), r!]);
  },
  ...asTheyAre({ A: "lora_A.weight", B: "lora_B.weight" }),
  change: added((tensors) => product(tensors, "lora_B.weight", "lora_A.weight")),
  scale: { kind: "setting", name: "lora_alpha" },
  settings: (tensors) => ({ r: tensors("lora_A.weight").shape[0]!, use_dora: false }),
  constants: loraConstants,
  neutral: loraNeutral,
  unread: loraUnread,
  absorbs: "B",
  patterns: loraPatterns,
};

/** A convolution to r channels, then one of 1 x 1. */
const convolution: PeftForm = {
  ...lora,
  variant: "convolution",
  means: "W + s B A of a convolution",
  fits: (shape, weight) => {
    const [r] = shape("A");
    return (
      weight.length === 4 &&
      sameShape(shape("A"), [r!, ...weight.slice(1)]) &&
      sameShape(shape("B"), [outOf(weight), r!])
    );
  },
  encode: (roles) => {
    const { shape } = roles("B");
    return { "lora_A.weight": roles("A"), "lora_B.weight": reshaped(roles("B"), [...shape, 1, 1]) };
  },
  decode: (tensors) => {
    const b = tensors("lora_B.weight");
    return { A: tensors("lora_A.weight"), B: reshaped(b, b.shape.slice(0, 2)) };
  },
  change: (tensors, { weight, bias }, scale) => {
    const changed = added((given) => product(given, "lora_B.weight", "lora_A.weight"))(
      tensors,
      { weight, bias },
      scale,
    );
    return { weight: reshaped(changed.weight, weight.shape), bias };
  },
};

/** Lengths of the rows of W, which DoRA's magnitudes start at. */
const lengths = ({ weight }: Base): Float64Array => matrices.rowLengths(matrixOf(weight));

const dora = (
  variant: string,
  of: (slot: number, length: number) => number,
  back: (m: number, length: number) => number,
) =>
  ({
    ...lora,
    variant,
    means: "m V / |V| by rows, with V = W + s B A",
    slots: ["A", "B", "magnitude"],
    fits: (shape, weight) => lora.fits(shape, weight) && sameShape(shape("magnitude"), [outOf(weight)]),
    encode: (roles, base) => {
      const rows = lengths(base);
      return {
        ...lora.encode(roles, base),
        lora_magnitude_vector: mapped(roles("magnitude"), (slot, row) => of(slot, rows[row]!)),
      };
    },
    decode: (tensors, base) => {
      const rows = lengths(base);
      const magnitude = mapped(tensors("lora_magnitude_vector"), (m, row) => back(m, rows[row]!));
      return { ...lora.decode(tensors, base), magnitude };
    },
    change: (tensors, base, scale) => {
      const { weight } = lora.change(tensors, base, scale);
      const v = matrixOf(weight);
      const rows = matrices.rowLengths(v);
      const factors = tensors("lora_magnitude_vector").data.map((m, row) => m / rows[row]!);
      return { weight: numbers(matrices.scaleRows(v, factors)), bias: base.bias };
    },
    settings: (tensors) => ({ r: tensors("lora_A.weight").shape[0]!, use_dora: true }),
    needsWeight: true,
  }) satisfies PeftForm;

const doras: readonly PeftForm[] = [
  dora(
    "departure",
    (slot, length) => (1 + slot) * length,
    (m, length) => m / length - 1,
  ),
  dora(
    "factor",
    (slot, length) => slot * length,
    (m, length) => m / length,
  ),
  dora(
    "magnitude",
    (slot) => slot,
    (m) => m,
  ),
];

/** Factors that stand in a slot as they are, or as departures from 1. */
const factorCodes = [
  { variant: "factors", of: (slot: number) => slot, back: (factor: number) => factor },
  { variant: "departures", of: (slot: number) => 1 + slot, back: (factor: number) => factor - 1 },
] as const;

const ia3s: readonly PeftForm[] = factorCodes.flatMap(({ variant, of, back }) =>
  (["outputs", "inputs"] as const).map((side): PeftForm => {
    const size = side === "outputs" ? outOf : inOf;
    return {
      ...plain,
      type: "IA3",
      variant: `${variant} of ${side}`,
      means: side === "outputs" ? "l (W x + b)" : "W (l x) + b",
      slots: ["l"],
      fits: (shape, weight) => isMatrix(weight) && sameShape(shape("l"), [size(weight)]),
      encode: (roles) => {
        const l = roles("l");
        const shape = side === "outputs" ? [l.data.length, 1] : [1, l.data.length];
        return { ia3_l: mapped(reshaped(l, shape), of) };
      },
      decode: (tensors) => {
        const l = tensors("ia3_l");
        return { l: mapped(reshaped(l, [l.data.length]), back) };
      },
      change: (tensors, { weight, bias }) => {
        const { data } = tensors("ia3_l");
        if (side === "inputs") return { weight: numbers(matrices.scaleColumns(matrixOf(weight), data)), bias };
        const scaled = bias.map((number, row) => number * data[row]!);
        return { weight: numbers(matrices.scaleRows(matrixOf(weight), data)), bias: scaled };
      },
      scale: noScale,
      settings: () => ({ feedforward: side === "inputs" }),
      constants: { fan_in_fan_out: false },
      neutral: { init_ia3_weights: true },
      lists: { feedforward: "feedforward_modules" },
    };
  }),
);

const loha: PeftForm = {
  ...plain,
  type: "LOHA",
  means: "W + s (B1 A1) * (B2 A2)",
  slots: ["A1", "B1", "A2", "B2"],
  fits: (shape, weight) => {
    const [r] = shape("A1");
    const [a, b] = [
      [r!, inOf(weight)],
      [outOf(weight), r!],
    ];
    return isMatrix(weight) && ["1", "2"].every((n) => sameShape(shape(`A${n}`), a) && sameShape(shape(`B${n}`), b));
  },
  ...asTheyAre({ B1: "hada_w1_a", A1: "hada_w1_b", B2: "hada_w2_a", A2: "hada_w2_b" }),
  change: added((tensors) =>
    matrices.hadamard(product(tensors, "hada_w1_a", "hada_w1_b"), product(tensors, "hada_w2_a", "hada_w2_b")),
  ),
  scale: { kind: "setting", name: "alpha" },
  settings: (tensors) => ({ r: tensors("hada_w1_b").shape[0]! }),
  absorbs: "B2",
  constants: { use_effective_conv2d: false },
  neutral: { rank_dropout: 0, module_dropout: 0, init_weights: true },
  patterns: { r: "rank_pattern", alpha: "alpha_pattern" },
};

const lokr: PeftForm = {
  ...plain,
  type: "LOKR",
  means: "W + s C (x) (B A)",
  slots: ["C", "A", "B"],
  fits: (shape, weight) => {
    const [factor, other] = shape("C");
    const [r, columns] = shape("A");
    const [rows] = shape("B");
    const covers = factor! * rows! === outOf(weight) && other! * columns! === inOf(weight);
    const ranks = sameShape(shape("A"), [r!, columns!]) && sameShape(shape("B"), [rows!, r!]);
    // From half the size of the second factor on, PEFT stores it whole.
    return (
      isMatrix(weight) &&
      shape("C").length === 2 &&
      factor === other &&
      covers &&
      ranks &&
      2 * r! < Math.max(rows!, columns!)
    );
  },
  ...asTheyAre({ C: "lokr_w1", B: "lokr_w2_a", A: "lokr_w2_b" }),
  change: added((tensors) =>
    matrices.kronecker(matrixOf(tensors("lokr_w1")), product(tensors, "lokr_w2_a", "lokr_w2_b")),
  ),
  scale: { kind: "setting", name: "alpha" },
  settings: (tensors) => ({ r: tensors("lokr_w2_b").shape[0]!, decompose_factor: tensors("lokr_w1").shape[0]! }),
  absorbs: "B",
  constants: { use_effective_conv2d: false, decompose_both: false },
  neutral: { rank_dropout: 0, module_dropout: 0, init_weights: true },
  patterns: { r: "rank_pattern", alpha: "alpha_pattern" },
};

const vera: PeftForm = {
  ...plain,
  type: "VERA",
  means: "W + diag(b) B diag(d) A with fixed A and B",
  slots: ["d", "b"],
  stored: ["A", "B"],
  fits: (shape, weight) => {
    const [r] = shape("d");
    return (
      isMatrix(weight) &&
      sameShape(shape("d"), [r!]) &&
      sameShape(shape("b"), [outOf(weight)]) &&
      sameShape(shape("A"), [r!, inOf(weight)]) &&
      sameShape(shape("B"), [outOf(weight), r!])
    );
  },
  encode: (roles) => ({
    vera_lambda_d: roles("d"),
    vera_lambda_b: roles("b"),
    vera_A: roles("A"),
    vera_B: roles("B"),
  }),
  decode: (tensors) => ({ d: tensors("vera_lambda_d"), b: tensors("vera_lambda_b") }),
  change: added((tensors) => {
    const left = matrices.scaleRows(matrixOf(tensors("vera_B")), tensors("vera_lambda_b").data);
    return matrices.multiply(left, matrices.scaleRows(matrixOf(tensors("vera_A")), tensors("vera_lambda_d").data));
  }),
  scale: { kind: "tensor", key: "vera_lambda_b" },
  settings: (tensors) => ({ r: tensors("vera_lambda_d").shape[0]! }),
  constants: { save_projection: true, bias: "none", fan_in_fan_out: false },
  neutral: { projection_prng_key: 0, vera_dropout: 0, d_initial: 0.1, init_weights: true },
  whole: { vera_A: "base_model.vera_A", vera_B: "base_model.vera_B" },
  brings: { A: "vera_A", B: "vera_B" },
};

const miss: PeftForm = {
  ...plain,
  type: "MISS",
  means: "W + D^T, repeated along the inputs",
  slots: ["D"],
  fits: (shape, weight) => {
    const [r, rows] = shape("D");
    return isMatrix(weight) && shape("D").length === 2 && rows === outOf(weight) && inOf(weight) % r! === 0;
  },
  ...asTheyAre({ D: "miss_block" }),
  change: added((tensors, { weight }) => {
    const block = matrixOf(tensors("miss_block"));
    return matrices.matrix(weight.shape[0]!, weight.shape[1]!, (row, column) =>
      matrices.entry(block, column % block.rows, row),
    );
  }),
  scale: { kind: "tensor", key: "miss_block" },
  settings: (tensors) => ({ r: tensors("miss_block").shape[0]! }),
  constants: { bias: "none", init_weights: true },
  neutral: { miss_dropout: 0, mini_r: 1 },
};

const hira: PeftForm = {
  ...lora,
  type: "HIRA",
  means: "W + W * (B A)",
  ...asTheyAre({ A: "hira_A", B: "hira_B" }),
  change: added((tensors, { weight }) => matrices.hadamard(matrixOf(weight), product(tensors, "hira_B", "hira_A"))),
  scale: { kind: "tensor", key: "hira_B" },
  settings: (tensors) => ({ r: tensors("hira_A").shape[0]! }),
  constants: { fan_in_fan_out: false },
  neutral: { hira_dropout: 0, init_weights: true },
  unread: [],
  patterns: { r: "rank_pattern" },
};

/** Skew-symmetric matrices from what stands above the diagonal, row by row. */
function skew(above: Float64Array, size: number): Matrix {
  const place = (row: number, column: number) => row * size - (row * (row + 1)) / 2 + column - row - 1;
  return matrices.matrix(size, size, (row, column) => {
    if (row === column) return 0;
    return row < column ? above[place(row, column)]! : -above[place(column, row)]!;
  });
}

/** The block that has this many numbers above its diagonal. */
const blockOf = (above: number): number => Math.round((1 + Math.sqrt(1 + 8 * above)) / 2);

const oft: PeftForm = {
  ...plain,
  type: "OFT",
  means: "W R with rotations R of blocks by Cayley's formula",
  slots: ["Q"],
  fits: (shape, weight) => {
    const [blocks, above] = shape("Q");
    const size = blockOf(above ?? 0);
    return (
      isMatrix(weight) &&
      shape("Q").length === 2 &&
      (size * (size - 1)) / 2 === above &&
      blocks! * size === inOf(weight)
    );
  },
  ...asTheyAre({ Q: "oft_R.weight" }),
  change: (tensors, { weight, bias }) => {
    const { shape, data } = tensors("oft_R.weight");
    const [blocks, above] = shape as [number, number];
    const size = blockOf(above);
    const w = matrixOf(weight);
    const turned = Array.from({ length: blocks }, (_, block) => {
      const q = skew(data.subarray(block * above, (block + 1) * above), size);
      const [minus, plus] = [-1, 1].map((sign) => matrices.add(matrices.identity(size), matrices.scale(q, sign)));
      const r = matrices.multiply(minus!, matrices.inverse(plus!));
      // Rows of inputs times R, so the weight takes its transpose.
      const part = matrices.matrix(w.rows, size, (row, column) => matrices.entry(w, row, block * size + column));
      return matrices.multiply(part, matrices.transpose(r));
    });
    const changed = matrices.matrix(w.rows, w.columns, (row, column) =>
      matrices.entry(turned[Math.floor(column / size)]!, row, column % size),
    );
    return { weight: numbers(changed), bias };
  },
  scale: noScale,
  settings: (tensors) => ({ oft_block_size: blockOf(tensors("oft_R.weight").shape[1]!) }),
  constants: {
    r: 0,
    bias: "none",
    fan_in_fan_out: false,
    coft: false,
    block_share: false,
    use_cayley_neumann: false,
  },
  neutral: { module_dropout: 0, init_weights: true },
};

/** Vectors of reflections as PEFT keeps them, in columns; in slots they stand in rows, alone or in pairs as the first and the step to the second. */
const hraOf = (
  variant: string,
  slots: readonly string[],
  fits: PeftForm["fits"],
  code: Pick<PeftForm, "encode" | "decode">,
): PeftForm => ({
  ...plain,
  type: "HRA",
  variant,
  means: "W H_1 .. H_r with reflections H",
  slots,
  fits,
  ...code,
  change: (tensors, { weight, bias }) => {
    const u = matrices.transpose(matrixOf(tensors("hra_u")));
    let changed = matrixOf(weight);
    for (let index = 0; index < u.rows; index++) {
      const vector = { rows: 1, columns: u.columns, data: u.data.subarray(index * u.columns, (index + 1) * u.columns) };
      const squared = matrices.multiply(vector, matrices.transpose(vector)).data[0]!;
      const along = matrices.multiply(changed, matrices.transpose(vector));
      changed = matrices.add(changed, matrices.scale(matrices.multiply(along, vector), -2 / squared));
    }
    return { weight: numbers(changed), bias };
  },
  scale: noScale,
  settings: (tensors) => ({ r: tensors("hra_u").shape[1]! }),
  constants: { apply_GS: false, bias: "none" },
  neutral: { init_weights: true },
});

const hras: readonly PeftForm[] = [
  hraOf(
    "pairs",
    ["first", "apart"],
    (shape, weight) =>
      isMatrix(weight) &&
      sameShape(shape("first"), [shape("first")[0]!, inOf(weight)]) &&
      sameShape(shape("apart"), shape("first")),
    {
      encode: (roles) => {
        const [first, apart] = [matrixOf(roles("first")), matrixOf(roles("apart"))];
        const u = matrices.matrix(first.columns, 2 * first.rows, (row, column) => {
          const pair = Math.floor(column / 2);
          return matrices.entry(first, pair, row) + (column % 2) * matrices.entry(apart, pair, row);
        });
        return { hra_u: numbers(u) };
      },
      decode: (tensors) => {
        const u = matrixOf(tensors("hra_u"));
        const part = (of: (pair: number, column: number) => number) =>
          numbers(matrices.matrix(u.columns / 2, u.rows, of));
        return {
          first: part((pair, column) => matrices.entry(u, column, 2 * pair)),
          apart: part((pair, column) => matrices.entry(u, column, 2 * pair + 1) - matrices.entry(u, column, 2 * pair)),
        };
      },
    },
  ),
  hraOf(
    "vectors",
    ["v"],
    (shape, weight) => isMatrix(weight) && sameShape(shape("v"), [shape("v")[0]!, inOf(weight)]),
    {
      encode: (roles) => ({ hra_u: numbers(matrices.transpose(matrixOf(roles("v")))) }),
      decode: (tensors) => ({ v: numbers(matrices.transpose(matrixOf(tensors("hra_u")))) }),
    },
  ),
];

const roads: readonly PeftForm[] = factorCodes.map(
  ({ variant, of, back }): PeftForm => ({
    ...plain,
    type: "ROAD",
    variant,
    means: "turns and scales of neighbouring pairs of W x + b",
    slots: ["angle", "scale"],
    fits: (shape, weight) => {
      const half = [outOf(weight) / 2];
      return isMatrix(weight) && sameShape(shape("angle"), half) && sameShape(shape("scale"), half);
    },
    encode: (roles) => ({ road_theta: roles("angle"), road_alpha: mapped(roles("scale"), of) }),
    decode: (tensors) => ({ angle: tensors("road_theta"), scale: mapped(tensors("road_alpha"), back) }),
    change: (tensors, { weight, bias }) => {
      const [theta, alpha] = [tensors("road_theta").data, tensors("road_alpha").data];
      const turned = (row: number, at: (row: number) => number) => {
        const pair = Math.floor(row / 2);
        const [c, s] = [alpha[pair]! * Math.cos(theta[pair]!), alpha[pair]! * Math.sin(theta[pair]!)];
        return row % 2 === 0 ? c * at(row) - s * at(row + 1) : c * at(row) + s * at(row - 1);
      };
      const w = matrixOf(weight);
      const changed = matrices.matrix(w.rows, w.columns, (row, column) =>
        turned(row, (other) => matrices.entry(w, other, column)),
      );
      return { weight: numbers(changed), bias: bias.map((_, row) => turned(row, (other) => bias[other]!)) };
    },
    scale: noScale,
    settings: () => ({}),
    constants: { variant: "road_1", group_size: 2 },
    neutral: { init_weights: true },
  }),
);

/** PEFT's blocks have kernel[(q - p) mod block] at p, q; slots may hold them the other way round. */
const c3as: readonly PeftForm[] = ["forwards", "backwards"].map((variant): PeftForm => {
  const turned = ({ shape, data }: Numbers): Numbers => {
    const block = shape[2]!;
    const from = (place: number) => place - (place % block) + ((block - (place % block)) % block);
    return variant === "forwards" ? { shape, data } : { shape, data: data.map((_, place) => data[from(place)]!) };
  };
  return {
    ...plain,
    type: "C3A",
    variant,
    means: "W + s C with circulant blocks",
    slots: ["K"],
    fits: (shape, weight) => {
      const [rows, columns, block] = shape("K");
      const covers = rows! * block! === outOf(weight) && columns! * block! === inOf(weight);
      return isMatrix(weight) && shape("K").length === 3 && covers;
    },
    encode: (roles) => ({ c3a_kernel: turned(roles("K")) }),
    decode: (tensors) => ({ K: turned(tensors("c3a_kernel")) }),
    change: added((tensors, { weight }) => {
      const { shape, data } = tensors("c3a_kernel");
      const [, across, block] = shape as [number, number, number];
      const columns = weight.shape[1]!;
      return matrices.matrix(weight.shape[0]!, columns, (row, column) => {
        const [i, j] = [Math.floor(row / block), Math.floor(column / block)];
        const turn = (((column - row) % block) + block) % block;
        return data[(i * across + j) * block + turn]! / columns;
      });
    }),
    scale: { kind: "tensor", key: "c3a_kernel" },
    settings: (tensors) => ({ block_size: tensors("c3a_kernel").shape[2]! }),
    constants: { bias: "none" },
    neutral: { block_size_pattern: {}, init_weights: "xavier_uniform" },
  };
});

const beft: PeftForm = {
  ...plain,
  type: "BEFT",
  means: "b + offset",
  slots: ["offset"],
  fits: (shape, weight) => isMatrix(weight) && sameShape(shape("offset"), [outOf(weight)]),
  encode: (roles) => ({ beft_bias: reshaped(roles("offset"), [1, roles("offset").data.length]) }),
  decode: (tensors) => {
    const bias = tensors("beft_bias");
    return { offset: reshaped(bias, [bias.data.length]) };
  },
  change: (tensors, { weight, bias }, scale) => ({
    weight,
    bias: bias.map((number, row) => number + scale * tensors("beft_bias").data[row]!),
  }),
  scale: { kind: "tensor", key: "beft_bias" },
  settings: () => ({}),
  neutral: { init_weights: true },
};

/** All forms; the first that an interface has is its own. */
export const peftForms: readonly PeftForm[] = [
  lora,
  convolution,
  ...doras,
  ...ia3s,
  loha,
  lokr,
  vera,
  miss,
  hira,
  oft,
  ...hras,
  ...roads,
  ...c3as,
  beft,
];

/** Why some changes that PEFT knows by name have no form here, by the names of interfaces of the standard library. */
export const peftDiffers: Readonly<Record<string, string>> = {
  FourierFT: "PEFT draws the places of its frequencies from a generator of its own, and its files do not hold them",
  BOFT: "PEFT's butterflies permute inputs otherwise",
  RandLoRA: "PEFT's RANDLORA scales and cuts its random bases otherwise",
  LoKr: "PEFT stores the second factor as a product only where the rank is below half of its larger size",
  GatedPrefix: "PEFT's ADAPTION_PROMPT has one gate for each layer, without tanh",
  Prefix: "PEFT's prefixes belong to a whole transformer, not to modules by path",
  PromptTokens: "PEFT's prompts stand before a whole transformer, not before modules by path",
  NormTuning: "PEFT's LN_TUNING stores whole norms, not changes of them",
};
