import assert from "node:assert/strict";
import { interpret } from "../../runtime/reference/interpreter.js";
import type { Graph } from "../../src/graph/graph.js";
import { verify } from "../../src/graph/verify.js";
import type { ReferenceEnvironment, ReferenceTensor } from "../../src/primitives/primitive.js";

/** Number of random graphs: WEFT_GRAPHS when it is set. */
export const graphCount = (usual: number): number => Number(process.env.WEFT_GRAPHS ?? usual);

/** Two tensors are equal up to rounding in float64. */
export function assertClose(actual: ReferenceTensor, expected: ReferenceTensor, label: string, tolerance = 1e-9): void {
  assert.deepEqual([...actual.type.shape], [...expected.type.shape], `${label}: shape`);
  assert.equal(actual.type.dtype, expected.type.dtype, `${label}: dtype`);
  expected.data.forEach((number, index) => {
    const difference = Math.abs(actual.data[index]! - number);
    if (!(difference <= tolerance * Math.max(1, Math.abs(number)))) {
      assert.fail(`${label}[${index}]: ${actual.data[index]} instead of ${number}`);
    }
  });
}

/** A pass kept every output and update, by name and value, and left a valid graph. */
export function assertSameResults(
  before: Graph,
  after: Graph,
  environment: ReferenceEnvironment,
  label: string,
  tolerance?: number,
): void {
  verify(after);
  const [expected, actual] = [interpret(before, environment), interpret(after, environment)];
  for (const kind of ["outputs", "updates"] as const) {
    assert.deepEqual([...actual[kind].keys()], [...expected[kind].keys()], `${label}: names of ${kind}`);
    for (const [name, value] of expected[kind])
      assertClose(actual[kind].get(name)!, value, `${label}: ${name}`, tolerance);
  }
}
