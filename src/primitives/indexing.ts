/** Primitives that move data by index. `gather` and `scatter_add` clamp their indices and are each other's adjoint. */
import { elementCount, formatShape, type Shape, sameShape, type TensorType } from "../graph/shape.js";
import { requireInputs } from "./checks.js";
import * as operations from "./operations.js";
import { type Primitive, type ReferenceTensor, ShapeError } from "./primitive.js";

/** The indices are i32 and share `batch` leading axes with the other operand. */
function requireIndices(name: string, operand: TensorType, indices: TensorType, batch: number, width: number): void {
  const lead = operand.shape.slice(0, batch);
  const fits =
    Number.isInteger(batch) &&
    batch >= 0 &&
    operand.shape.length >= batch + width &&
    sameShape(lead, indices.shape.slice(0, batch));
  if (indices.dtype !== "i32") throw new ShapeError(`${name}: indices are i32, not ${indices.dtype}`, [indices.shape]);
  if (!fits) {
    throw new ShapeError(
      `${name}: ${formatShape(operand.shape)} and indices ${formatShape(indices.shape)} have no ${batch} leading axes in common`,
      [operand.shape, indices.shape],
    );
  }
}

/** Visits every index with where its row starts in the dense rows and in the indexed tensor. */
function forEachRow(
  indices: ReferenceTensor,
  batch: number,
  size: number,
  rest: number,
  visit: (dense: number, indexed: number) => void,
): void {
  const perBatch = elementCount(indices.type.shape.slice(batch));
  indices.data.forEach((index, place) => {
    const row = Math.min(Math.max(index, 0), size - 1);
    visit(place * rest, (Math.floor(place / perBatch) * size + row) * rest);
  });
}

const leading = (
  builder: Parameters<typeof operations.broadcastLeading>[0],
  value: number,
  batched: boolean,
  size: number,
) => (batched ? value : operations.broadcastLeading(builder, value, size));

const gather: Primitive<"gather"> = {
  name: "gather",
  arity: 2,
  shape(inputs, { batch }) {
    requireInputs("gather", inputs, 2);
    const [table, indices] = [inputs[0]!, inputs[1]!];
    requireIndices("gather", table, indices, batch, 1);
    if (table.shape[batch] === 0)
      throw new ShapeError(`gather from no rows of ${formatShape(table.shape)}`, [table.shape]);
    return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(batch + 1)] }];
  },
  batch(builder, { batch }, inputs, batched, size) {
    const [table, indices] = [inputs[0]!, inputs[1]!];
    if (batched[0]) {
      return [builder.add("gather", [table, leading(builder, indices, batched[1]!, size)], { batch: batch + 1 })];
    }
    // A table all instances share: the instances are more indices, standing behind the axes in common.
    const moved = operations.moveAxis(builder, indices, 0, batch);
    return [operations.moveAxis(builder, builder.add("gather", [table, moved], { batch }), batch, 0)];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const { batch } = node.attributes;
    const size = builder.shape(node.inputs[0]!)[batch]!;
    return [
      needed[0] ? operations.scatterAdd(builder, cotangent!, node.inputs[1]!, size, batch) : undefined,
      undefined,
    ];
  },
  evaluate([table, indices], { batch }, [type]) {
    const rest = elementCount(table!.type.shape.slice(batch + 1));
    const result = new Float64Array(elementCount(type!.shape));
    forEachRow(indices!, batch, table!.type.shape[batch]!, rest, (dense, indexed) => {
      result.set(table!.data.subarray(indexed, indexed + rest), dense);
    });
    return [result];
  },
};

/** Axes of the updates that stand for one index. */
const restOf = (updates: Shape, indices: Shape): Shape => updates.slice(indices.length);

const scatterAdd: Primitive<"scatter_add"> = {
  name: "scatter_add",
  arity: 2,
  shape(inputs, { batch, size }) {
    requireInputs("scatter_add", inputs, 2);
    const [updates, indices] = [inputs[0]!, inputs[1]!];
    requireIndices("scatter_add", updates, indices, batch, 0);
    if (updates.dtype === "bool") throw new ShapeError("scatter_add adds numbers, not bool", [updates.shape]);
    if (indices.shape.length < batch || !sameShape(updates.shape.slice(0, indices.shape.length), indices.shape)) {
      throw new ShapeError(
        `scatter_add: updates ${formatShape(updates.shape)} do not begin with the axes of indices ${formatShape(indices.shape)}`,
        [updates.shape, indices.shape],
      );
    }
    if (!Number.isInteger(size) || size < 1) throw new ShapeError(`scatter_add into ${size} rows`);
    return [
      {
        dtype: updates.dtype,
        shape: [...indices.shape.slice(0, batch), size, ...restOf(updates.shape, indices.shape)],
      },
    ];
  },
  batch(builder, { batch, size: rows }, inputs, batched, size) {
    const operands = inputs.map((input, place) => leading(builder, input, batched[place]!, size));
    return [builder.add("scatter_add", operands, { batch: batch + 1, size: rows })];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    return [
      needed[0] ? operations.gather(builder, cotangent!, node.inputs[1]!, node.attributes.batch) : undefined,
      undefined,
    ];
  },
  evaluate([updates, indices], { batch, size }, [type]) {
    const rest = elementCount(restOf(updates!.type.shape, indices!.type.shape));
    const result = new Float64Array(elementCount(type!.shape));
    forEachRow(indices!, batch, size, rest, (dense, indexed) => {
      for (let element = 0; element < rest; element++) result[indexed + element]! += updates!.data[dense + element]!;
    });
    if (type!.dtype === "i32") return [result.map((sum) => sum | 0)];
    if (type!.dtype === "u32") return [result.map((sum) => sum >>> 0)];
    return [result];
  },
};

export const indexings = { gather, scatter_add: scatterAdd };
