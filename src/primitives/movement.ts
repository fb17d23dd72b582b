/** Primitives that rearrange elements without computing. */
import { contiguousStrides, elementCount, formatShape, sameShape } from "../graph/shape.js";
import { requireAxes, requireInputs, requireOneDtype, requirePerAxis, requireSizes } from "./checks.js";
import * as operations from "./operations.js";
import { type Primitive, ShapeError } from "./primitive.js";
import { forEachOffset, readStrided } from "./strided.js";

const reshape: Primitive<"reshape"> = {
  name: "reshape",
  arity: 1,
  shape(inputs, { shape }) {
    requireInputs("reshape", inputs, 1);
    requireSizes("reshape", shape);
    const from = inputs[0]!;
    if (elementCount(from.shape) !== elementCount(shape)) {
      throw new ShapeError(
        `${formatShape(from.shape)} (${elementCount(from.shape)} elements) does not reshape to ${formatShape(shape)} (${elementCount(shape)})`,
        [from.shape, shape],
      );
    }
    return [{ dtype: from.dtype, shape }];
  },
  batch: (builder, { shape }, inputs, _batched, size) => [builder.add("reshape", inputs, { shape: [size, ...shape] })],
  gradient({ builder, node }, [cotangent]) {
    return [operations.reshape(builder, cotangent!, builder.shape(node.inputs[0]!))];
  },
  evaluate: ([x]) => [x!.data],
};

const transpose: Primitive<"transpose"> = {
  name: "transpose",
  arity: 1,
  shape(inputs, { permutation }) {
    requireInputs("transpose", inputs, 1);
    const { dtype, shape } = inputs[0]!;
    const ordered = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== shape.length || ordered.some((axis, place) => axis !== place)) {
      throw new ShapeError(`[${permutation.join(", ")}] does not permute the axes of ${formatShape(shape)}`, [shape]);
    }
    return [{ dtype, shape: permutation.map((axis) => shape[axis]!) }];
  },
  batch: (builder, { permutation }, inputs) => [
    builder.add("transpose", inputs, { permutation: [0, ...permutation.map((axis) => axis + 1)] }),
  ],
  gradient({ builder, node }, [cotangent]) {
    const { permutation } = node.attributes;
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [operations.transpose(builder, cotangent!, inverse)];
  },
  evaluate([x], { permutation }, [type]) {
    const strides = contiguousStrides(x!.type.shape);
    return [
      readStrided(
        x!.data,
        0,
        type!.shape,
        permutation.map((axis) => strides[axis]!),
      ),
    ];
  },
};

const broadcast: Primitive<"broadcast"> = {
  name: "broadcast",
  arity: 1,
  shape(inputs, { shape, axes }) {
    requireInputs("broadcast", inputs, 1);
    requireSizes("broadcast", shape);
    requireAxes("broadcast", axes, shape);
    const from = inputs[0]!;
    const kept = axes.map((axis) => shape[axis]!);
    if (!sameShape(from.shape, kept)) {
      throw new ShapeError(
        `${formatShape(from.shape)} does not broadcast to axes [${axes.join(", ")}] of ${formatShape(shape)}`,
        [from.shape, shape],
      );
    }
    return [{ dtype: from.dtype, shape }];
  },
  batch: (builder, { shape, axes }, inputs, _batched, size) => [
    builder.add("broadcast", inputs, { shape: [size, ...shape], axes: [0, ...axes.map((axis) => axis + 1)] }),
  ],
  gradient({ builder, node }, [cotangent]) {
    const { shape, axes } = node.attributes;
    const repeated = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    return [operations.reduceSum(builder, cotangent!, repeated)];
  },
  evaluate([x], { shape, axes }) {
    const from = contiguousStrides(x!.type.shape);
    const strides = new Array<number>(shape.length).fill(0);
    for (const [place, axis] of axes.entries()) strides[axis] = from[place]!;
    return [readStrided(x!.data, 0, shape, strides)];
  },
};

const slice: Primitive<"slice"> = {
  name: "slice",
  arity: 1,
  shape(inputs, { starts, limits, steps }) {
    requireInputs("slice", inputs, 1);
    const { dtype, shape } = inputs[0]!;
    requirePerAxis("slice", "starts", starts, shape, 0);
    requirePerAxis("slice", "limits", limits, shape, 0);
    requirePerAxis("slice", "steps", steps, shape, 1);
    const sizes = shape.map((size, axis) => {
      const [start, limit] = [starts[axis]!, limits[axis]!];
      if (start > limit || limit > size) {
        throw new ShapeError(`${start}..${limit} is not inside axis ${axis} of ${formatShape(shape)}`, [shape]);
      }
      return Math.ceil((limit - start) / steps[axis]!);
    });
    return [{ dtype, shape: sizes }];
  },
  batch: (builder, { starts, limits, steps }, inputs, _batched, size) => [
    builder.add("slice", inputs, { starts: [0, ...starts], limits: [size, ...limits], steps: [1, ...steps] }),
  ],
  gradient({ builder, node }, [cotangent]) {
    const { starts, steps } = node.attributes;
    const sizes = builder.shape(cotangent!);
    const whole = builder.shape(node.inputs[0]!);
    if (elementCount(sizes) === 0) return [undefined];
    const high = whole.map((size, axis) => size - starts[axis]! - (sizes[axis]! - 1) * steps[axis]! - 1);
    const interior = steps.map((step, axis) => (sizes[axis] === 1 ? 0 : step - 1));
    return [operations.pad(builder, cotangent!, starts, high, interior)];
  },
  evaluate([x], { starts, steps }, [type]) {
    const strides = contiguousStrides(x!.type.shape);
    const offset = starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
    return [
      readStrided(
        x!.data,
        offset,
        type!.shape,
        strides.map((stride, axis) => stride * steps[axis]!),
      ),
    ];
  },
};

const pad: Primitive<"pad"> = {
  name: "pad",
  arity: 1,
  shape(inputs, { low, high, interior }) {
    requireInputs("pad", inputs, 1);
    const { dtype, shape } = inputs[0]!;
    requirePerAxis("pad", "low", low, shape, 0);
    requirePerAxis("pad", "high", high, shape, 0);
    requirePerAxis("pad", "interior", interior, shape, 0);
    const sizes = shape.map((size, axis) => low[axis]! + size + Math.max(size - 1, 0) * interior[axis]! + high[axis]!);
    return [{ dtype, shape: sizes }];
  },
  batch: (builder, { low, high, interior }, inputs) => [
    builder.add("pad", inputs, { low: [0, ...low], high: [0, ...high], interior: [0, ...interior] }),
  ],
  gradient({ builder, node }, [cotangent]) {
    const { low, interior } = node.attributes;
    const sizes = builder.shape(node.inputs[0]!);
    if (elementCount(sizes) === 0) return [undefined];
    const limits = sizes.map((size, axis) => low[axis]! + (size - 1) * (interior[axis]! + 1) + 1);
    const steps = interior.map((gap) => gap + 1);
    return [operations.slice(builder, cotangent!, low, limits, steps)];
  },
  evaluate([x], { low, interior }, [type]) {
    const result = new Float64Array(elementCount(type!.shape));
    const strides = contiguousStrides(type!.shape);
    const start = low.reduce((sum, size, axis) => sum + size * strides[axis]!, 0);
    const steps = strides.map((stride, axis) => stride * (interior[axis]! + 1));
    forEachOffset(x!.type.shape, [steps], (point, [offset]) => {
      result[start + offset!] = x!.data[point]!;
    });
    return [result];
  },
};

const concat: Primitive<"concat"> = {
  name: "concat",
  shape(inputs, { axis }) {
    if (inputs.length === 0) throw new ShapeError("concat takes at least one operand");
    requireOneDtype("concat", inputs);
    const { dtype, shape } = inputs[0]!;
    requireAxes("concat", [axis], shape);
    const shapes = inputs.map((input) => input.shape);
    for (const other of shapes) {
      if (other.length !== shape.length || other.some((size, place) => place !== axis && size !== shape[place])) {
        throw new ShapeError(
          `${formatShape(shape)} and ${formatShape(other)} differ in more than axis ${axis}, along which they are joined`,
          [shape, other],
        );
      }
    }
    const joined = shapes.reduce((sum, other) => sum + other[axis]!, 0);
    return [{ dtype, shape: shape.map((size, place) => (place === axis ? joined : size)) }];
  },
  batch(builder, { axis }, inputs, batched, size) {
    const parts = inputs.map((input, place) =>
      batched[place] ? input : operations.broadcastLeading(builder, input, size),
    );
    return [builder.add("concat", parts, { axis: axis + 1 })];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const { axis } = node.attributes;
    let start = 0;
    return node.inputs.map((input, place) => {
      const from = start;
      start += builder.shape(input)[axis]!;
      return needed[place] ? operations.sliceAxis(builder, cotangent!, axis, from, start) : undefined;
    });
  },
  evaluate(inputs, { axis }, [type]) {
    const result = new Float64Array(elementCount(type!.shape));
    const outer = elementCount(type!.shape.slice(0, axis));
    const row = elementCount(type!.shape.slice(axis));
    let start = 0;
    for (const { data, type: part } of inputs) {
      const length = elementCount(part.shape.slice(axis));
      for (let index = 0; index < outer; index++) {
        result.set(data.subarray(index * length, (index + 1) * length), index * row + start);
      }
      start += length;
    }
    return [result];
  },
};

export const movements = { reshape, transpose, broadcast, slice, pad, concat };
