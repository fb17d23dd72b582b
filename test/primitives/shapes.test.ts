import assert from "node:assert/strict";
import type { Dtype } from "../../src/graph/dtype.js";
import type { Shape, TensorType } from "../../src/graph/shape.js";
import type { AttributesOf, PrimitiveName } from "../../src/primitives/names.js";
import { ShapeError } from "../../src/primitives/primitive.js";
import { shapeOf } from "../../src/primitives/registry.js";

const f32 = (...shape: readonly number[]): TensorType => ({ dtype: "f32", shape });
const typed = (dtype: Dtype, ...shape: readonly number[]): TensorType => ({ dtype, shape });

interface Misfit<P extends PrimitiveName> {
  readonly name: P;
  readonly attributes: AttributesOf[P];
  readonly inputs: readonly TensorType[];
  readonly message: RegExp;
}
const misfit = <P extends PrimitiveName>(
  name: P,
  attributes: AttributesOf[P],
  inputs: readonly TensorType[],
  message: RegExp,
): Misfit<PrimitiveName> => ({ name, attributes, inputs, message }) as Misfit<PrimitiveName>;

const unmasked = { scale: 1, masked: false };
const masked = { scale: 1, masked: true };
/** Rows [n, k] times weights [g, k, m]. */
const grouped = { lhs: [0], rhs: [0, 1], out: [1], groups: 1 };

const misfits = [
  misfit("exp", {}, [], /exp takes 1 operand, not 0/),
  misfit("exp", {}, [typed("i32", 2)], /exp takes f32, f16, bf16, f64, not i32\[2\]/),
  misfit("negate", {}, [typed("u32")], /not u32/),
  misfit("not", {}, [f32()], /not takes bool/),
  misfit("add", {}, [f32(2, 3), f32(3)], /\[2, 3\] and \[3\]/),
  misfit("add", {}, [f32(2), typed("i32", 2)], /one dtype, not f32\[2\] and i32\[2\]/),
  misfit("and", {}, [f32(), f32()], /and takes bool/),
  misfit("power", {}, [typed("i32"), typed("i32")], /power takes f32/),
  misfit("select", {}, [f32(2), f32(2), f32(2)], /condition of select takes bool/),
  misfit("select", {}, [typed("bool", 2), f32(3), f32(3)], /equal shape/),
  misfit("table", { dtype: "f32", shape: [2, 2], values: [1] }, [], /1 numbers do not fill/),
  misfit("constant", { dtype: "f32", shape: [-1], value: 0 }, [], /\[-1\] is no shape/),
  misfit("iota", { shape: [2], axis: 1 }, [], /no axes of \[2\]/),
  misfit(
    "random",
    { distribution: "normal", key: 1, shape: [2] },
    [f32(), typed("u32"), typed("i32")],
    /seed and a step/,
  ),
  misfit("reshape", { shape: [4] }, [f32(2, 3)], /\[2, 3\] \(6 elements\) does not reshape to \[4\] \(4\)/),
  misfit("transpose", { permutation: [0, 0] }, [f32(2, 3)], /does not permute/),
  misfit("broadcast", { shape: [2, 3], axes: [0] }, [f32(3)], /\[3\] does not broadcast to axes \[0\] of \[2, 3\]/),
  misfit("broadcast", { shape: [2, 3], axes: [1, 0] }, [f32(3, 2)], /no axes/),
  misfit("slice", { starts: [1], limits: [4], steps: [1] }, [f32(3)], /1..4 is not inside axis 0 of \[3\]/),
  misfit("slice", { starts: [0], limits: [3], steps: [0] }, [f32(3)], /steps \[0\]/),
  misfit("pad", { low: [-1], high: [0], interior: [0] }, [f32(3)], /low \[-1\]/),
  misfit("concat", { axis: 0 }, [], /at least one/),
  misfit("concat", { axis: 0 }, [f32(2, 3), f32(2, 4)], /differ in more than axis 0/),
  misfit("reduce_sum", { axes: [2] }, [f32(2, 3)], /no axes of \[2, 3\]/),
  misfit("reduce_sum", { axes: [0] }, [typed("bool", 2)], /not bool/),
  misfit("reduce_max", { axes: [0] }, [f32(0, 2)], /over no elements/),
  misfit("argmax", { axis: 1 }, [f32(2, 0)], /over no elements/),
  misfit(
    "contraction",
    { lhs: [0, 1], rhs: [1, 2], out: [0, 2] },
    [f32(2, 3), f32(4, 5)],
    /axis 1 of the first is 3, axis 0 of the second is 4/,
  ),
  misfit("contraction", { lhs: [0], rhs: [1], out: [0] }, [f32(2), f32(3)], /cannot give \[0\]/),
  misfit("contraction", { lhs: [0, 0], rhs: [0], out: [] }, [f32(2, 2), f32(2)], /labels \[0, 0\]/),
  misfit("contraction", { lhs: [0], rhs: [0], out: [5] }, [f32(2), f32(2)], /cannot give \[5\]/),
  misfit("contraction", { lhs: [0], rhs: [0], out: [] }, [typed("i32", 2), typed("i32", 2)], /products are of floats/),
  misfit("attention", unmasked, [f32(2, 3), f32(2, 3), f32(2, 3)], /heads, positions, width/),
  misfit("attention", unmasked, [f32(1, 4, 2), f32(1, 5, 3), f32(1, 5, 3)], /queries and keys differ in width/),
  misfit("attention", unmasked, [f32(1, 4, 2), f32(1, 5, 2), f32(1, 6, 2)], /keys and values differ/),
  misfit("attention", unmasked, [f32(3, 4, 2), f32(2, 5, 2), f32(2, 5, 2)], /2 key heads do not divide 3/),
  misfit("attention", unmasked, [f32(7, 2, 4, 2), f32(6, 2, 5, 2), f32(6, 2, 5, 2)], /leading axes differ/),
  misfit(
    "attention",
    masked,
    [f32(2, 4, 2), f32(2, 5, 2), f32(2, 5, 2), typed("bool", 4, 5)],
    /mask is bool \[2, 4, 5\] or \[1, 4, 5\]/,
  ),
  misfit("attention", masked, [f32(2, 4, 2), f32(2, 5, 2), f32(2, 5, 2)], /takes 4 operands, not 3/),
  misfit("grouped_contraction", grouped, [f32(5, 3), f32(2, 3, 4), f32(5)], /index is i32 .* not f32\[5\]/),
  misfit("grouped_contraction", grouped, [f32(5, 3), f32(2, 3, 4), typed("i32", 4)], /one number for each row/),
  misfit("grouped_contraction", grouped, [f32(5, 3), f32(0, 3, 4), typed("i32", 5)], /no groups/),
  misfit("grouped_contraction", grouped, [f32(5, 2), f32(2, 3, 4), typed("i32", 5)], /do not fit/),
  misfit("grouped_contraction", { ...grouped, groups: 4 }, [f32(5, 3), f32(2, 3, 4), typed("i32", 5)], /no 4 axes/),
  misfit(
    "grouped_contraction",
    grouped,
    [f32(5, 3), f32(2, 3, 4), typed("i32", 5), typed("i32", 5), typed("i32", 2)],
    /i32\[5\] and i32\[3\], not i32\[5\] and i32\[2\]/,
  ),
  misfit(
    "grouped_sum",
    { lhs: [0], rhs: [1], out: [0, 1], groups: [2] },
    [f32(5, 3), f32(4, 3), typed("i32", 5)],
    /differ in rows/,
  ),
  misfit("argsort", {}, [typed("bool", 3)], /not bool/),
  misfit("argsort", {}, [f32()], /no axis/),
  misfit("gather", { batch: 0 }, [f32(3), f32(2)], /indices are i32/),
  misfit("gather", { batch: 1 }, [f32(3, 4), typed("i32", 2, 5)], /no 1 leading axes in common/),
  misfit("scatter_add", { batch: 0, size: 4 }, [f32(3, 2), typed("i32", 5)], /do not begin with/),
  misfit("scatter_add", { batch: 0, size: 0 }, [f32(3), typed("i32", 3)], /into 0 rows/),
] as const;

describe("shape rules", () => {
  for (const { name, attributes, inputs, message } of misfits) {
    it(`refuse ${name}(${inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(", ")}) ${JSON.stringify(attributes)}`, () => {
      assert.throws(
        () => shapeOf(name, inputs, attributes),
        (error) => error instanceof ShapeError && message.test(error.message),
      );
    });
  }

  it("name the shapes that do not fit", () => {
    try {
      shapeOf("add", [f32(2, 3), f32(4)], {});
      assert.fail("no error");
    } catch (error) {
      assert.ok(error instanceof ShapeError);
      assert.deepEqual(error.shapes, [[2, 3], [4]]);
    }
  });

  it("give comparisons bool and argmax i32", () => {
    assert.deepEqual(shapeOf("less", [f32(2), f32(2)], {}), [typed("bool", 2)]);
    assert.deepEqual(shapeOf("argmax", [f32(2, 3)], { axis: 0 }), [typed("i32", 3)]);
  });

  it("give attention's log-sum one number per row, in f32 unless the operands are f64", () => {
    const operands = (dtype: Dtype) =>
      [
        [4, 3, 8],
        [2, 5, 8],
        [2, 5, 6],
      ].map((shape: Shape) => ({ dtype, shape }));
    assert.deepEqual(shapeOf("attention", operands("bf16"), unmasked), [typed("bf16", 4, 3, 6), typed("f32", 4, 3)]);
    assert.deepEqual(shapeOf("attention", operands("f64"), unmasked)[1], typed("f64", 4, 3));
  });
});
