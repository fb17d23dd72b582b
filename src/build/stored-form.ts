/** Which stored tensor holds the linear part of a module's forward, and how. */
import type { GraphBuilder } from "../graph/builder.js";
import type { ValueId } from "../graph/node.js";
import { elementCount, type Shape, sameShape } from "../graph/shape.js";
import { provenEqual } from "../passes/equivalence.js";
import * as operations from "../primitives/operations.js";
import type { Instance, WeightDefinition } from "./values.js";

/** How matrices [columns, rows] by view lie in one stored tensor. */
export interface StoredForm {
  /** [rows, columns, ...places of a window], or [columns, rows, ..] when transposed. */
  readonly shape: Shape;
  readonly transposed: boolean;
  /** The view at each place of the window. */
  readonly order: readonly number[];
}

/** The stored tensor that holds the linear part of a module's forward: a proof, since both are one node once simplified. */
export function storedWeight(
  builder: GraphBuilder,
  instance: Instance,
  plain: readonly ValueId[],
): (StoredForm & { readonly path: string }) | undefined {
  const [columns, rows] = builder.shape(plain[0]!) as [number, number];
  for (const { path, shape } of storedFloats(instance)) {
    const window = shape.slice(2);
    if (shape.length < 2 || elementCount(window) !== plain.length) continue;
    for (const transposed of [false, true]) {
      const sizes = transposed ? [columns, rows] : [rows, columns];
      if (!sameShape(shape.slice(0, 2), sizes)) continue;
      const value = parameter(builder, path, shape);
      const left = [...plain.keys()];
      const order = plain.map((_, place) => {
        const at = placeOf(place, window);
        const part = operations.slice(builder, value, [0, 0, ...at], [...sizes, ...at.map((start) => start + 1)]);
        const matrix = operations.reshape(builder, part, sizes);
        const oriented = transposed ? matrix : operations.transpose(builder, matrix, [1, 0]);
        const found = left.findIndex((view) => equal(builder, oriented, plain[view]!));
        return found < 0 ? -1 : left.splice(found, 1)[0]!;
      });
      if (!order.includes(-1)) return { path, shape, transposed, order };
    }
  }
  return undefined;
}

export function inForm(
  builder: GraphBuilder,
  matrices: readonly ValueId[],
  { shape, transposed, order }: StoredForm,
): ValueId {
  const parts = order.map((view) => {
    const matrix = transposed ? matrices[view]! : operations.transpose(builder, matrices[view]!, [1, 0]);
    return operations.reshape(builder, matrix, [...builder.shape(matrix), 1]);
  });
  return operations.reshape(builder, operations.concat(builder, parts, 2), shape);
}

export const storedFloats = (instance: Instance): WeightDefinition[] =>
  [...instance.weights.values()].filter(({ absent, dtype }) => !absent && dtype === "f32");

export const parameter = (builder: GraphBuilder, path: string, shape: Shape): ValueId =>
  builder.add("parameter", [], { path, dtype: "f32", shape });

/** The indices of one place of a window, counted row by row. */
function placeOf(place: number, window: Shape): number[] {
  let rest = place;
  return window
    .map((_, axis) => window.length - 1 - axis)
    .map((axis) => {
      const index = rest % window[axis]!;
      rest = Math.floor(rest / window[axis]!);
      return index;
    })
    .reverse();
}

export function equal(builder: GraphBuilder, a: ValueId, b: ValueId): boolean {
  return sameShape(builder.shape(a), builder.shape(b)) && provenEqual(builder.finish(), a, b);
}
