/** Which instructions of a body change along which dimensions: what can be computed once outside a loop. */

import { operandsInPass } from "../../src/kernels/operands.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { type Space, viewConstantAlong } from "./space.js";

/**
 * For each instruction whether it changes along any of `dimensions`. The result of a `reduce` changes along row dimensions only as far as
 * its operand does, and never along a reduced one.
 */
export function varyingAlong(body: ScalarProgram, space: Space, dimensions: readonly number[]): readonly boolean[] {
  const rows = space.extents.length - space.reduced;
  const varies: boolean[] = [];
  const ofRows = dimensions.filter((dimension) => dimension < rows);
  const rowVaries =
    ofRows.length > 0 && ofRows.length < dimensions.length ? varyingAlong(body, space, ofRows) : undefined;
  for (const instruction of body) {
    let result = operandsInPass(instruction).some((operand) => varies[operand]!);
    switch (instruction.kind) {
      case "load":
      case "load_indexed": {
        const view = space.loads[instruction.access]!;
        result ||= dimensions.some((dimension) => !viewConstantAlong(view, dimension));
        break;
      }
      case "index": {
        const form = space.indices.get(varies.length)!;
        result ||= dimensions.some((dimension) => form.strides[dimension] !== 0);
        break;
      }
      case "reduce":
        result = ofRows.length === 0 ? false : (rowVaries ?? varies)[instruction.operand]!;
        break;
      case "constant":
      case "accumulator":
      case "unary":
      case "binary":
      case "select":
      case "cast":
      case "random":
        break;
    }
    varies.push(result);
  }
  return varies;
}

/** The same with some instructions taken to vary, and so all that read them. */
export function alsoVarying(
  body: ScalarProgram,
  varies: readonly boolean[],
  forced: (position: number) => boolean,
): readonly boolean[] {
  const result: boolean[] = [];
  for (const [position, instruction] of body.entries()) {
    result.push(
      varies[position]! || forced(position) || operandsInPass(instruction).some((operand) => result[operand]!),
    );
  }
  return result;
}
