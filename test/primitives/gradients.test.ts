import assert from "node:assert/strict";
import { isFloat } from "../../src/graph/dtype.js";
import type { Node, NodeOf } from "../../src/graph/node.js";
import type { TensorType } from "../../src/graph/shape.js";
import type { AttributesOf, PrimitiveName } from "../../src/primitives/names.js";
import { primitiveOf, primitives } from "../../src/primitives/registry.js";
import { sourceOf } from "../graphs/source.js";
import { graphOf } from "./application.js";
import { type Case, cases } from "./cases.js";

const names = Object.keys(primitives) as PrimitiveName[];
const repeats = 12;
const step = 1e-5;

/** Primitives through which no cotangent goes by definition, whatever finite differences say. */
const stopped = new Set<PrimitiveName>(["stop_gradient"]);

/** Sum over float outputs of output * cotangent. */
function weighted(
  outputs: readonly (Float64Array | undefined)[],
  cotangents: ReadonlyMap<number, Float64Array>,
): number {
  let sum = 0;
  for (const [place, cotangent] of cotangents) {
    outputs[place]!.forEach((value, index) => {
      sum += value * cotangent[index]!;
    });
  }
  return sum;
}

function checkGradients<P extends PrimitiveName>(name: P, seed: number): void {
  const s = sourceOf(seed);
  const { attributes, operands } = cases[name](s) as Case<P>;
  const types = operands.map(({ type }) => type);
  const data = operands.map(({ draw }) => draw());
  const forward = graphOf(types, (builder, inputs) => builder.addAll(name, inputs, attributes));
  const outputTypes = forward.types as TensorType[];
  const floatOutputs = [...outputTypes.keys()].filter((place) => isFloat(outputTypes[place]!.dtype));
  if (floatOutputs.length === 0) return;
  // All cotangents, and each one alone: a rule may be given only some.
  const chosen = s.chance(0.5) ? floatOutputs : [s.pick(floatOutputs)];
  const values = forward.run(data);
  const cotangents = new Map(chosen.map((place) => [place, s.numbers(values[place]!.length, -1, 1)]));

  const backward = graphOf([...types, ...chosen.map((place) => outputTypes[place]!)], (builder, inputs) => {
    const operandValues = inputs.slice(0, types.length);
    const outputs = builder.addAll(name, operandValues, attributes);
    const given = outputs.map((_, place) =>
      chosen.includes(place) ? inputs[types.length + chosen.indexOf(place)] : undefined,
    );
    const node = builder.producers[outputs[0]!]! as Node as unknown as NodeOf<P>;
    const needed = types.map(({ dtype }) => isFloat(dtype));
    return primitiveOf(name).gradient({ builder, node, needed }, given);
  });
  const gradients = backward.run([...data, ...cotangents.values()]);

  operands.forEach(({ type }, place) => {
    const gradient = gradients[place];
    if (!isFloat(type.dtype) || stopped.has(name)) {
      assert.equal(gradient, undefined, `operand ${place} should have no gradient`);
      return;
    }
    if (gradient) assert.deepEqual(backward.types[place], type, `type of the gradient of operand ${place}`);
    data[place]!.forEach((element, index) => {
      const moved = (by: number) => {
        const shifted = data.map((x, other) => (other === place ? x.with(index, element + by) : x));
        return weighted(forward.run(shifted), cotangents);
      };
      const expected = (moved(step) - moved(-step)) / (2 * step);
      const actual = gradient?.[index] ?? 0;
      assert.ok(
        Math.abs(actual - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
        `${name} ${JSON.stringify(attributes)} seed ${seed}: operand ${place}[${index}] ${actual}, by differences ${expected}`,
      );
    });
  });
}

describe("gradients of primitives", () => {
  for (const name of names) {
    // Leaves have no operands; attention's backward pass has no gradient.
    if (primitiveOf(name).arity === 0 || name === "attention_backward") continue;
    it(`of ${name} agree with finite differences`, () => {
      for (let seed = 0; seed < repeats; seed++) checkGradients(name, seed);
    });
  }

  it("of attention's backward pass are refused: gradients are first order", () => {
    assert.throws(() => checkGradients("attention_backward", 1), /first order/);
  });

  /** d (sum of outputs) / d inputs for one primitive on given numbers. */
  function gradientAt<P extends PrimitiveName>(name: P, attributes: AttributesOf[P], data: readonly number[][]) {
    const types = data.map((x): TensorType => ({ dtype: "f32", shape: [x.length] }));
    const graph = graphOf(types, (builder, inputs) => {
      const output = builder.add(name, inputs, attributes);
      const node = builder.producers[output]! as Node as unknown as NodeOf<P>;
      const { shape } = builder.type(output);
      const one = builder.add("constant", [], { dtype: "f32", shape, value: 1 });
      return primitiveOf(name).gradient({ builder, node, needed: data.map(() => true) }, [one]);
    });
    return graph.run(data.map((x) => Float64Array.from(x))).map((gradient) => gradient && [...gradient]);
  }

  it("share an extremum's cotangent equally among ties", () => {
    assert.deepEqual(
      gradientAt("maximum", {}, [
        [1, 2, 0],
        [1, 0, 2],
      ]),
      [
        [0.5, 1, 0],
        [0.5, 0, 1],
      ],
    );
    assert.deepEqual(
      gradientAt("minimum", {}, [
        [1, 2, 0],
        [1, 0, 2],
      ]),
      [
        [0.5, 0, 1],
        [0.5, 1, 0],
      ],
    );
    assert.deepEqual(gradientAt("reduce_max", { axes: [0] }, [[3, 1, 3, 2]]), [[0.5, 0, 0.5, 0]]);
    assert.deepEqual(gradientAt("reduce_min", { axes: [0] }, [[1, 1, 3, 1]]), [[1 / 3, 1 / 3, 0, 1 / 3]]);
  });

  it("of powers stay finite at zero", () => {
    const [base, exponent] = gradientAt("power", {}, [
      [0, 0, 0, 2],
      [0, 1, 2, 3],
    ]);
    assert.deepEqual(base, [0, 1, 0, 12]);
    assert.deepEqual(exponent?.slice(0, 3), [0, 0, 0]);
  });

  it("of the absolute value are zero at zero", () => {
    assert.deepEqual(gradientAt("absolute", {}, [[0, -2, 3]]), [[0, -1, 1]]);
  });

  it("of powers with a constant exponent agree with the general rule", () => {
    for (const exponent of [0, 1, 2, 3, 0.5, -1.5]) {
      const type: TensorType = { dtype: "f32", shape: [] };
      const graph = graphOf([type], (builder, [x]) => {
        const y = builder.add("constant", [], { dtype: "f32", shape: [], value: exponent });
        const output = builder.add("power", [x!, y], {});
        const one = builder.add("constant", [], { dtype: "f32", shape: [], value: 1 });
        const node = builder.producers[output]! as NodeOf<"power">;
        return primitives.power.gradient({ builder, node, needed: [true, false] }, [one]);
      });
      const [actual] = graph.run([Float64Array.of(1.7)]);
      assert.ok(Math.abs((actual?.[0] ?? 0) - exponent * 1.7 ** (exponent - 1)) < 1e-12, `exponent ${exponent}`);
    }
  });
});
