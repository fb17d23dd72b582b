import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import { elementCount } from "../../src/graph/shape.js";
import type { PrimitiveName } from "../../src/primitives/names.js";
import { ShapeError } from "../../src/primitives/primitive.js";
import { primitiveOf, primitives } from "../../src/primitives/registry.js";
import { sourceOf } from "../graphs/source.js";
import { graphOf } from "./application.js";
import { type Case, cases } from "./cases.js";

const names = Object.keys(primitives) as PrimitiveName[];
const instances = 3;

const stacked = (parts: readonly Float64Array[]): Float64Array => Float64Array.from(parts.flatMap((part) => [...part]));

/** Compares a primitive's batched form with its plain form on each instance, for one choice of batched operands. */
function checkBatch<P extends PrimitiveName>(name: P, seed: number, batched: readonly boolean[]): void {
  const { attributes, operands } = cases[name](sourceOf(seed)) as Case<P>;
  const draws = operands.map(({ draw }, place) => {
    const first = draw();
    return Array.from({ length: instances }, () => (batched[place] ? draw() : first));
  });
  const plain = graphOf(
    operands.map(({ type }) => type),
    (builder, inputs) => builder.addAll(name, inputs, attributes),
  );
  const whole = graphOf(
    operands.map(({ type: { dtype, shape } }, place) => ({
      dtype,
      shape: batched[place] ? [instances, ...shape] : shape,
    })),
    (builder, inputs) => primitiveOf(name).batch(builder, attributes, inputs, batched, instances),
  );
  plain.types.forEach((type, place) => {
    assert.deepEqual(whole.types[place], { dtype: type!.dtype, shape: [instances, ...type!.shape] });
  });
  const results = whole.run(draws.map((data, place) => (batched[place] ? stacked(data) : data[0]!)));
  for (let instance = 0; instance < instances; instance++) {
    plain.run(draws.map((data) => data[instance]!)).forEach((expected, place) => {
      const count = elementCount(plain.types[place]!.shape);
      const actual = results[place]!.subarray(instance * count, (instance + 1) * count);
      const message = `${name} ${JSON.stringify(attributes)} seed ${seed}, batched ${batched}, instance ${instance}`;
      actual.forEach((value, index) => {
        assert.ok(Math.abs(value - expected![index]!) <= 1e-12 * Math.max(1, Math.abs(value)), message);
      });
      assert.equal(actual.length, expected!.length, message);
    });
  }
}

/** Every choice of batched operands but none. */
function* choices(batchable: readonly boolean[]): Generator<boolean[]> {
  for (let bits = 1; bits < 2 ** batchable.length; bits++) {
    const batched = batchable.map((_, place) => (bits & (1 << place)) !== 0);
    if (batched.every((chosen, place) => !chosen || batchable[place])) yield batched;
  }
}

describe("batched forms of primitives", () => {
  for (const name of names) {
    const operands = cases[name](sourceOf(0)).operands.length;
    const primitive = primitiveOf(name);
    if (primitive.arity === 0) {
      it(`of ${name} do not exist: it has no operands`, () => {
        const { attributes } = cases[name](sourceOf(0)) as Case<typeof name>;
        assert.equal(operands, 0);
        assert.throws(() => primitive.batch(new GraphBuilder(), attributes, [], [], instances), /no batched form/);
      });
      continue;
    }
    // The batch pass itself gives it its meaning.
    if (name === "gather_instances") continue;
    it(`of ${name} equal its plain form on every instance`, () => {
      const wide = name === "attention_backward";
      for (let seed = 0; seed < (wide ? 3 : 6); seed++) {
        const batchable = cases[name](sourceOf(seed)).operands.map((operand) => operand.batchable ?? true);
        for (const batched of choices(batchable)) checkBatch(name, seed, batched);
      }
    });
  }

  it("of draws refuse seeds that differ between instances", () => {
    assert.throws(() => checkBatch("random", 1, [true, false, true]), ShapeError);
  });
});

describe("batched products", () => {
  const roles = (batched: readonly boolean[]) => {
    const builder = new GraphBuilder();
    const input = (name: string, shape: readonly number[]) =>
      builder.add("input", [], { name, dtype: "f32", shape, perInstance: false });
    const x = input("x", batched[0] ? [8, 4, 5] : [4, 5]);
    const y = input("y", batched[1] ? [8, 5, 6] : [5, 6]);
    const [value] = primitives.contraction.batch(
      builder,
      { lhs: [0, 1], rhs: [1, 2], out: [0, 2] },
      [x, y],
      batched,
      8,
    );
    const node = builder.producers[value!]!;
    assert.ok(node.primitive === "contraction");
    assert.deepEqual(builder.nodes.length, 3, "no operand is copied");
    const { lhs, rhs } = node.attributes;
    return { shared: lhs.filter((label) => rhs.includes(label)).length, rank: builder.shape(value!).length };
  };

  it("with a shared weight are one large product: the instances are rows", () => {
    assert.deepEqual(roles([true, false]), { shared: 1, rank: 3 });
  });

  it("with a weight per instance have a batch axis", () => {
    assert.deepEqual(roles([true, true]), { shared: 2, rank: 3 });
  });
});
