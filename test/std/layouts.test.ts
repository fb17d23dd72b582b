import { strict as assert } from "node:assert";
import fc from "fast-check";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { detokenizeGraph, tokenizeGraph } from "../../src/build/slots.js";
import { elementCount } from "../../src/graph/shape.js";
import { build } from "../build/support.js";

const seed = Number(process.env.WEFT_SEED ?? 7);

/** One linear map, or several as copies, in two layers. */
const model = (inFeatures: number, outFeatures: number, copies: number, rank: number, layout: string) =>
  build(`import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat, RankAnchored } from "std/layouts"

module Layer() { maps = [Linear(${inFeatures}, ${outFeatures})] * ${copies} }
model M() {
  layers = [Layer()] * 2
  memory = adapt layers[*].maps[*] with LoRA(rank: ${rank}) as ${layout}
  fn f(x: [2]) -> [2] { x }
}
`);

/** The token, row and column that hold one number of a slot, found by cutting indices. */
async function placeOf(
  inFeatures: number,
  outFeatures: number,
  slot: "A" | "B",
  index: readonly number[],
): Promise<number[]> {
  const built = await model(inFeatures, outFeatures, 1, 16, "Flat(16, 1024)");
  const { grid } = built.adaptations[0]!;
  const inputs = new Map(
    grid.places.map((place) => {
      const data = new Float64Array(elementCount(place.shape));
      if (place.layer === 0 && place.slot === slot) data[index[0]! * place.shape[1]! + index[1]!] = 1;
      return [`${place.site}.${place.slot}`, data] as const;
    }),
  );
  const { data } = evaluate(tokenizeGraph(built, "memory"), environmentOf({ inputs })).get("tokens")!;
  const at = data.indexOf(1);
  const start = grid.kinds.find((kind) => kind.slot === slot)!.start;
  return [Math.floor(at / 16384) - start, Math.floor((at % 16384) / 1024), at % 1024];
}

describe("layouts", () => {
  it("cut as the released code does: a token of A is four rank rows in four pieces", async () => {
    assert.deepEqual(await placeOf(4096, 8, "A", [5, 2050]), [1, 6, 2]);
    assert.deepEqual(await placeOf(3072, 8, "A", [5, 2050]), [1, 1, 2]);
  });

  it("cut as the released code does: a row of B is 64 output channels by 16 ranks", async () => {
    assert.deepEqual(await placeOf(16, 4096, "B", [1030, 3]), [1, 0, 99]);
  });

  it("keep the rank axis whole when anchored: token t of A is A[:, t s : (t + 1) s], of B its transpose", async () => {
    const built = await model(6, 4, 1, 2, "RankAnchored(4)");
    const inputs = new Map<string, Float64Array>();
    for (const { site, slot, shape, layer } of built.adaptations[0]!.grid.places) {
      inputs.set(
        `${site}.${slot}`,
        Float64Array.from({ length: elementCount(shape) }, (_, place) => (layer === 0 ? place + 1 : 0)),
      );
    }
    const { data } = evaluate(tokenizeGraph(built, "memory"), environmentOf({ inputs })).get("tokens")!;
    const token = (place: number) => [...data.subarray(place * 8, place * 8 + 8)];
    assert.deepEqual(token(0), [1, 2, 3, 4, 7, 8, 9, 10]);
    assert.deepEqual(token(1), [5, 6, 0, 0, 11, 12, 0, 0]);
    assert.deepEqual(token(2), [1, 3, 5, 7, 2, 4, 6, 8]);
  });

  for (const layout of ["Flat", "RankAnchored"] as const) {
    it(`${layout}: cutting and joining gives every slot back, padding included`, async () => {
      const shapes = fc.record({
        inFeatures: fc.integer({ min: 1, max: 9 }),
        outFeatures: fc.integer({ min: 1, max: 9 }),
        copies: fc.integer({ min: 1, max: 3 }),
        rank: fc.integer({ min: 1, max: 4 }),
        columns: fc.integer({ min: 1, max: 5 }),
      });
      const property = fc.asyncProperty(shapes, async ({ inFeatures, outFeatures, copies, rank, columns }) => {
        const written = layout === "Flat" ? `Flat(${rank}, ${columns})` : `RankAnchored(${columns})`;
        const built = await model(inFeatures, outFeatures, copies, rank, written);
        const { grid } = built.adaptations[0]!;
        let next = 1;
        const inputs = new Map(
          grid.places.map((place) => {
            const count = elementCount(place.shape) * copies;
            return [`${place.site}.${place.slot}`, Float64Array.from({ length: count }, () => next++)] as const;
          }),
        );
        const tokens = evaluate(tokenizeGraph(built, "memory"), environmentOf({ inputs })).get("tokens")!.data;
        assert.equal(tokens.length, grid.layers * grid.tokens * grid.rows * grid.columns);
        assert.equal(tokens.filter((number) => number !== 0).length, grid.numbers);
        const slots = evaluate(
          detokenizeGraph(built, "memory"),
          environmentOf({ inputs: new Map([["tokens", tokens]]) }),
        );
        for (const [name, expected] of inputs) assert.deepEqual(slots.get(name)!.data, expected, name);
      });
      await fc.assert(property, { numRuns: 15, seed });
    });
  }

  it("derive the inverse of a layout that reorders by slices and concat", async () => {
    const built = await build(`import { Linear } from "std/layers"
interface Bias() on Linear {
  slot b: [base.out_features] = zeros()
  forward(x) { base(x) + b }
}
layout Odd(columns: int) {
  rows = 1
  tokens(slot: [...]) -> [t, rows, columns] {
    let last = slot[-1:]
    let swapped = concat([last, slot[1:-1], slot[:1]])
    reshape(concat([swapped[::2], swapped[1::2]]), [-1, rows, columns])
  }
}
model M() {
  layer = Linear(2, 6)
  memory = adapt layer with Bias() as Odd(3)
  fn f(x: [2], t: memory.tokens) -> [6] { (layer with memory(t))(x) }
}
`);
    const b = Float64Array.from([1, 2, 3, 4, 5, 6]);
    const tokens = evaluate(tokenizeGraph(built, "memory"), environmentOf({ inputs: new Map([["layer.b", b]]) })).get(
      "tokens",
    )!;
    assert.deepEqual([...tokens.data], [6, 3, 5, 2, 4, 1]);
    const slots = evaluate(
      detokenizeGraph(built, "memory"),
      environmentOf({ inputs: new Map([["tokens", tokens.data]]) }),
    );
    assert.deepEqual(slots.get("layer.b")!.data, b);
  });
});
