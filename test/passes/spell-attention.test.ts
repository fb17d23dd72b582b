import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { verify } from "../../src/graph/verify.js";
import { type OpenDevice, openDevice, runEntry, type Tensor, tensor } from "../../src/index.js";
import { spellAttention } from "../../src/passes/spell-attention.js";
import { build } from "../build/support.js";
import { sourceOf } from "../graphs/source.js";
import { graphOf } from "../primitives/application.js";
import { type Case, cases } from "../primitives/cases.js";

describe("attention spelled out", () => {
  for (const name of ["attention", "attention_backward"] as const) {
    it(`computes ${name} as the primitive does, rows without a key included`, () => {
      for (let seed = 0; seed < 40; seed++) {
        const { attributes, operands } = cases[name](sourceOf(seed)) as Case<typeof name>;
        const { graph } = graphOf(
          operands.map(({ type }) => type),
          (builder, inputs) => builder.addAll(name, inputs, attributes),
        );
        const spelled = spellAttention(graph, 0);
        verify(spelled);
        assert.ok(spelled.nodes.every(({ primitive }) => primitive !== name));
        const environment = environmentOf({ inputs: new Map(operands.map((one, place) => [`x${place}`, one.draw()])) });
        const found = evaluate(spelled, environment);
        for (const [output, { data, type }] of evaluate(graph, environment)) {
          assert.deepEqual(found.get(output)!.type, type);
          data.forEach((value, place) => {
            const difference = Math.abs(value - found.get(output)!.data[place]!);
            assert.ok(difference <= 1e-9 * Math.max(1, Math.abs(value)), `seed ${seed}, ${output}[${place}]`);
          });
        }
      }
    });
  }

  it("leaves alone what the target's kernels take", () => {
    const { attributes, operands } = cases.attention(sourceOf(1));
    const { graph } = graphOf(
      operands.map(({ type }) => type),
      (builder, inputs) => builder.addAll("attention", inputs, attributes),
    );
    assert.equal(spellAttention(graph, 8), graph);
  });
});

describe("heads wider than the kernels of the CPU take", () => {
  const width = 1100;
  let open: { readonly cpu: OpenDevice; readonly reference: OpenDevice };
  before(async () => {
    open = { cpu: await openDevice("cpu", { threads: 1 }), reference: await openDevice("reference") };
  });
  after(async () => {
    await open.cpu.device.close();
    await open.reference.device.close();
  });

  it("run there all the same, forwards and backwards", async () => {
    const text = `model M() {
  fn f(q: [2, 3, ${width}], k: [1, 4, ${width}], v: [1, 4, 5], mask: bool[3, 4]) -> [2, 3, 5] {
    attention(q, k, v, mask: mask)
  }
}`;
    const compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
    const random = sourceOf(3);
    const floats = (shape: readonly number[]): Tensor => {
      const count = shape.reduce((product, size) => product * size, 1);
      return tensor("f32", shape, Float32Array.from(random.numbers(count, -1, 1)));
    };
    const inputs = new Map([
      ["q", floats([2, 2, 3, width])],
      ["k", floats([2, 1, 4, width])],
      ["v", floats([2, 1, 4, 5])],
      [
        "mask",
        tensor(
          "bool",
          [2, 3, 4],
          Uint8Array.from({ length: 24 }, (_, place) => (place % 5 === 0 ? 0 : 1)),
        ),
      ],
    ]);
    const cotangents = new Map([["output", floats([2, 2, 3, 5])]]);
    const request = { entry: "f", parameters: new Map(), inputs, gradients: ["q", "k", "v"], cotangents };
    const [fast, slow] = [
      await runEntry(compiled, open.cpu, request),
      await runEntry(compiled, open.reference, request),
    ];
    assert.deepEqual([...fast.keys()].sort(), ["gradient:k", "gradient:q", "gradient:v", "output"]);
    for (const [name, { data }] of slow)
      data.forEach((value, place) => {
        const difference = Math.abs(value - fast.get(name)!.data[place]!);
        assert.ok(difference <= 1e-4, `${name}[${place}] differs by ${difference}`);
      });
  });
});
