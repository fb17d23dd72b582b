import { strict as assert } from "node:assert";
import { elementCount } from "../../src/graph/shape.js";
import { build, run } from "../build/support.js";
import { convolve } from "./interfaces/dense.js";

const wave = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin(1 + seed * 2.3 + place * 1.7));

/** Builds a model with one layer and runs it with arbitrary stored tensors; both are given back. */
async function apply(layer: string, signature: string, body: string, inputs: Record<string, number[]>) {
  const model =
    await build(`import { Attention, Conv2d, Embedding, LayerNorm, Linear, MLP, Modulation, PatchEmbedding, RMSNorm, Rotary, SwiGLU, TimestepEmbedding, conv2d, depthwise_conv2d, from_patches, modulate, rotate, rotary_angles } from "std/layers"
import { flow_matching, flow_point, mse } from "std/losses"
model M() {
  layer = ${layer}
  fn f${signature} { ${body} }
}
`);
  const stored = Object.fromEntries(
    model.parameters.map(({ path, shape }, place) => [path, wave(elementCount(shape), place)]),
  );
  return { output: run(model, "f", inputs, stored).output!, stored, model };
}

function assertNear(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  for (const [place, number] of found.entries()) {
    assert.ok(Math.abs(number - expected[place]!) < 1e-9, `${place}: ${number} instead of ${expected[place]}`);
  }
}

const rows = (numbers: readonly number[], width: number): number[][] =>
  Array.from({ length: numbers.length / width }, (_, row) => numbers.slice(row * width, (row + 1) * width));

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, place) => sum + x * b[place]!, 0);

const linear = (x: readonly number[][], weight: readonly number[], bias: readonly number[]) =>
  x.map((row) => rows(weight, row.length).map((w, place) => dot(w, row) + (bias[place] ?? 0)));

/** Attention as it is defined, head by head. */
function reference(
  x: number[][],
  context: number[][],
  stored: Record<string, number[]>,
  heads: number,
  groups: number,
  allowed: (query: number, key: number) => boolean,
): number[] {
  const project = (input: number[][], name: string) =>
    linear(input, stored[`layer.${name}.weight`]!, stored[`layer.${name}.bias`]!);
  const [q, k, v] = [project(x, "q"), project(context, "k"), project(context, "v")];
  const size = q[0]!.length / heads;
  const joined = q.map((query, n) =>
    Array.from({ length: heads }, (_, head) => {
      const group = Math.floor(head / (heads / groups));
      const cut = (row: number[], index: number) => row.slice(index * size, (index + 1) * size);
      const scores = k.map((key, m) =>
        allowed(n, m) ? Math.exp(dot(cut(query, head), cut(key, group)) / Math.sqrt(size)) : 0,
      );
      const total = scores.reduce((sum, score) => sum + score, 0);
      return Array.from({ length: size }, (_, place) =>
        total === 0 ? 0 : v.reduce((sum, value, m) => sum + (scores[m]! / total) * cut(value, group)[place]!, 0),
      );
    }).flat(),
  );
  return project(joined, "out").flat();
}

describe("std/layers", () => {
  it("RMSNorm divides by the root of the mean square", async () => {
    const { output, stored } = await apply("RMSNorm(4)", "(x: [2, 4]) -> [2, 4]", "layer(x)", { x: wave(8, 9) });
    const expected = rows(wave(8, 9), 4).flatMap((row) =>
      row.map((x, place) => (x / Math.sqrt(dot(row, row) / 4 + 1e-6)) * stored["layer.gain"]![place]!),
    );
    assertNear(output, expected);
  });

  it("LayerNorm centres and scales, with or without gain and offset", async () => {
    const normal = rows(wave(8, 9), 4).map((row) => {
      const mean = row.reduce((sum, x) => sum + x, 0) / 4;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 4;
      return row.map((x) => (x - mean) / Math.sqrt(variance + 1e-6));
    });
    const plain = await apply("LayerNorm(4, affine: false)", "(x: [2, 4]) -> [2, 4]", "layer(x)", { x: wave(8, 9) });
    assertNear(plain.output, normal.flat());
    const { output, stored } = await apply("LayerNorm(4)", "(x: [2, 4]) -> [2, 4]", "layer(x)", { x: wave(8, 9) });
    const scaled = normal.flatMap((row) =>
      row.map((x, place) => x * stored["layer.gain"]![place]! + stored["layer.offset"]![place]!),
    );
    assertNear(output, scaled);
  });

  it("SwiGLU gates with silu", async () => {
    const x = rows(wave(6, 9), 3);
    const { output, stored } = await apply("SwiGLU(3, hidden: 2)", "(x: [2, 3]) -> [2, 3]", "layer(x)", {
      x: x.flat(),
    });
    const gate = linear(x, stored["layer.gate.weight"]!, []);
    const up = linear(x, stored["layer.up.weight"]!, []);
    const hidden = gate.map((row, n) => row.map((g, place) => (g / (1 + Math.exp(-g))) * up[n]![place]!));
    assertNear(output, linear(hidden, stored["layer.down.weight"]!, []).flat());
  });

  it("Attention attends to itself, head by head", async () => {
    const x = wave(12, 9);
    const { output, stored, model } = await apply("Attention(4, heads: 2)", "(x: [3, 4]) -> [3, 4]", "layer(x)", { x });
    assertNear(
      output,
      reference(rows(x, 4), rows(x, 4), stored, 2, 2, () => true),
    );
    const attention = model.entryPoint("f").graph.nodes.find(({ primitive }) => primitive === "attention");
    assert.equal((attention!.attributes as { masked: boolean }).masked, false);
  });

  it("Attention attends to a context, under a mask, with shared keys and values", async () => {
    const [x, context] = [wave(12, 9), wave(10, 8)];
    const { output, stored } = await apply(
      "Attention(4, heads: 4, kv_heads: 2, context_dim: 5, head_dim: 2)",
      "(x: [3, 4], c: [2, 5]) -> [3, 4]",
      "layer(x, c, allowed: arange(3)[:, none] < arange(2)[none, :] + 2)",
      { x, c: context },
    );
    assertNear(
      output,
      reference(rows(x, 4), rows(context, 5), stored, 4, 2, (n, m) => n < m + 2),
    );
  });

  it("Attention gives zero where nothing may be attended to", async () => {
    const x = wave(8, 9);
    const { output, stored } = await apply(
      "Attention(4, heads: 2)",
      "(x: [2, 4]) -> [2, 4]",
      'layer(x, allowed: repeat(arange(2) > 0, "n -> n m", m: 2))',
      { x },
    );
    assertNear(
      output,
      reference(rows(x, 4), rows(x, 4), stored, 2, 2, (n) => n > 0),
    );
  });

  it("Attention carries leading axes and normalises queries and keys when told to", async () => {
    const x = wave(24, 9);
    const layer = "Attention(4, heads: 2, qk_norm: true)";
    const { output, model, stored } = await apply(layer, "(x: [2, 3, 4]) -> [2, 3, 4]", "layer(x)", { x });
    const single = await apply(layer, "(x: [3, 4]) -> [3, 4]", "layer(x)", { x: x.slice(0, 12) });
    assertNear(output.slice(0, 12), single.output);
    assert.deepEqual(
      Object.keys(stored).filter((path) => path.includes("norm")),
      ["layer.k_norm.gain", "layer.q_norm.gain"],
    );
    assert.equal(model.parameters.length, 10);
  });

  it("rotates neighbouring pairs, axis after axis", async () => {
    const x = wave(12, 9);
    const { output } = await apply(
      "Rotary([2, 4], theta: 100.0)",
      "(x: [2, 6]) -> [2, 6]",
      "layer(x, [arange(2) + 3, 5 * arange(2)])",
      { x },
    );
    const expected = rows(x, 6).flatMap((row, n) =>
      [3 + n, 5 * n, (5 * n) / 10].flatMap((angle, pair) => {
        const [a, b] = [row[2 * pair]!, row[2 * pair + 1]!];
        return [a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle)];
      }),
    );
    assertNear(output, expected);
  });

  it("rotary scores depend only on distances", async () => {
    const body = (start: number) =>
      `let p = rotary_angles([arange(3) + ${start}], [4])\n rotate(x, p) @ rotate(x, p).T`;
    const x = wave(12, 9);
    const near = await apply("RMSNorm(1)", "(x: [3, 4]) -> [3, 3]", body(0), { x });
    const far = await apply("RMSNorm(1)", "(x: [3, 4]) -> [3, 3]", body(50), { x });
    assertNear(near.output, far.output);
  });

  it("patches stand in the order row, column, channel, and come back", async () => {
    const image = Array.from({ length: 2 * 4 * 6 }, (_, place) => place);
    const { output, stored } = await apply("PatchEmbedding(2, 2, 3)", "(x: [2, 4, 6]) -> [6, 3]", "layer(x)", {
      x: image,
    });
    const at = (channel: number, row: number, column: number) => image[channel * 24 + row * 6 + column]!;
    const patch = [0, 1].flatMap((row) =>
      [0, 1].flatMap((column) => [0, 1].map((channel) => at(channel, 2 + row, 2 + column))),
    );
    const expected = linear([patch], stored["layer.proj.weight"]!, stored["layer.proj.bias"]!)[0]!;
    assertNear(output.slice(12, 15), expected);
    const back = await apply(
      "RMSNorm(1)",
      "(x: [2, 4, 6]) -> [2, 4, 6]",
      'from_patches(rearrange(x, "c (h p) (w q) -> (h w) (p q c)", p: 2, q: 2), 2, 2)',
      { x: image },
    );
    assertNear(back.output, image);
  });

  it("TimestepEmbedding has cosines, then sines, of 1000 t", async () => {
    const { output, stored } = await apply("TimestepEmbedding(3, features: 4)", "(t: []) -> [3]", "layer(t)", {
      t: [0.3],
    });
    const angles = [300, 300 * 10000 ** -0.5];
    const features = [...angles.map(Math.cos), ...angles.map(Math.sin)];
    const hidden = linear([features], stored["layer.up.weight"]!, stored["layer.up.bias"]!).map((row) =>
      row.map((x) => x / (1 + Math.exp(-x))),
    );
    assertNear(output, linear(hidden, stored["layer.down.weight"]!, stored["layer.down.bias"]!)[0]!);
  });

  it("Modulation starts at zero, so a modulated norm starts unmodulated", async () => {
    const model = await build(`import { Modulation, modulate } from "std/layers"
model M() {
  change = Modulation(3, 2)
  fn f(x: [2, 3], c: [3]) -> [2, 3] {
    let (shift, scale) = change(c)
    modulate(x, shift, scale)
  }
}`);
    assert.ok(model.parameters.every(({ initializer }) => initializer.kind === "zeros"));
    const zeros = { "change.proj.weight": new Array(18).fill(0), "change.proj.bias": new Array(6).fill(0) };
    assert.deepEqual(run(model, "f", { x: wave(6, 1), c: [1, 2, 3] }, zeros).output, wave(6, 1));
  });

  for (const { kernel, stride, padding } of [
    { kernel: 3, stride: 1, padding: 1 },
    { kernel: 3, stride: 2, padding: 0 },
    { kernel: 2, stride: 3, padding: 1 },
    { kernel: 1, stride: 1, padding: 0 },
  ]) {
    it(`Conv2d sums over windows of ${kernel}, ${stride} apart, with ${padding} zeros around`, async () => {
      const picture = [2, 5, 6] as const;
      const x = wave(60, 9);
      const size = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
      const shape = `[3, ${size(5)}, ${size(6)}]`;
      const layer = `Conv2d(2, 3, ${kernel}, stride: ${stride}, padding: ${padding})`;
      const { output, stored } = await apply(layer, `(x: [2, 5, 6]) -> ${shape}`, "layer(x)", { x });
      const weight = stored["layer.weight"]!;
      const area = size(5) * size(6);
      const sums = convolve(x, picture, (o, c, i, j) => weight[((o * 2 + c) * kernel + i) * kernel + j]!, {
        outputs: 3,
        kernel,
        stride,
        padding,
      });
      assertNear(
        output,
        sums.map((sum, place) => sum + stored["layer.bias"]![Math.floor(place / area)]!),
      );
    });
  }

  it("convolutions take kernels of any shape and pictures with leading axes", async () => {
    const [x, weight] = [wave(48, 9), wave(24, 3)];
    const signature = "(x: [2, 2, 3, 4], w: [2, 2, 2, 3]) -> [2, 2, 2, 2]";
    const { output } = await apply("RMSNorm(1)", signature, "conv2d(x, w)", { x, w: weight });
    const single = await apply("RMSNorm(1)", "(x: [2, 3, 4], w: [2, 2, 2, 3]) -> [2, 2, 2]", "conv2d(x, w)", {
      x: x.slice(24),
      w: weight,
    });
    assertNear(output.slice(8), single.output);
    const channelwise = await apply(
      "RMSNorm(1)",
      "(x: [2, 3, 4], w: [2, 3, 3]) -> [2, 3, 4]",
      "depthwise_conv2d(x, w, padding: 1)",
      { x: x.slice(24), w: weight.slice(0, 18) },
    );
    const expected = [0, 1].flatMap((channel) =>
      convolve(
        x.slice(24 + channel * 12, 36 + channel * 12),
        [1, 3, 4],
        (_o, _c, i, j) => weight[channel * 9 + i * 3 + j]!,
        { outputs: 1, kernel: 3, padding: 1 },
      ),
    );
    assertNear(channelwise.output, expected);
  });

  it("a convolution says when its window is larger than the picture", async () => {
    const layer = apply("Conv2d(2, 3, 4)", "(x: [2, 3, 6]) -> [3, 0, 3]", "layer(x)", { x: wave(36, 1) });
    await assert.rejects(layer, /the window is larger than the picture/);
  });

  it("Embedding looks up rows for indices of any shape", async () => {
    const { output, stored } = await apply("Embedding(5, 2)", "(i: int[2, 2]) -> [2, 2, 2]", "layer(i)", {
      i: [4, 0, 1, 4],
    });
    const table = rows(stored["layer.weight"]!, 2);
    assertNear(
      output,
      [4, 0, 1, 4].flatMap((index) => table[index]!),
    );
  });
});

describe("std/losses", () => {
  it("flow matching is zero for the true velocity, and the point moves from noise to target", async () => {
    const inputs = { a: wave(4, 1), b: wave(4, 2), t: [0.25] };
    const exact = await apply("RMSNorm(1)", "(a: [4], b: [4], t: []) -> []", "flow_matching(b - a, a, b)", inputs);
    assertNear(exact.output, [0]);
    const point = await apply("RMSNorm(1)", "(a: [4], b: [4], t: []) -> [4]", "flow_point(a, b, t)", inputs);
    assertNear(
      point.output,
      inputs.a.map((noise, place) => 0.75 * noise + 0.25 * inputs.b[place]!),
    );
    const error = await apply("RMSNorm(1)", "(a: [4], b: [4], t: []) -> []", "mse(a, b)", inputs);
    assertNear(error.output, [inputs.a.reduce((sum, x, place) => sum + (x - inputs.b[place]!) ** 2, 0) / 4]);
  });
});
