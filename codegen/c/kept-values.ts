/** Which values a row's walks keep for each other, because computing them again costs more than memory. */
import type { ReductionKernel } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { valueType } from "../scalar/dialect.js";
import { reachable } from "../scalar/print.js";
import { type ReductionPlan, wantedBy } from "../schedules/reduction-walks.js";

/** Whether computing it again costs more than keeping it in memory. */
function expensive(instruction: ScalarInstruction): boolean {
  switch (instruction.kind) {
    case "unary":
      switch (instruction.operation) {
        case "exp":
        case "log":
        case "sin":
        case "cos":
        case "tanh":
        case "erf":
        case "logistic":
          return true;
        default:
          return false;
      }
    case "binary":
      return instruction.operation === "power";
    case "random":
      return true;
    case "load":
    case "load_indexed":
    case "constant":
    case "index":
    case "accumulator":
    case "reduce":
    case "select":
    case "cast":
      return false;
  }
}

/**
 * Values worth keeping between walks: by position, the number of the walk that computes it. Only f32 ones, at most `most`, the last ones
 * of a body first, because what they need is then not computed again either.
 */
export function keptValues(record: ReductionKernel, plan: ReductionPlan, most: number): ReadonlyMap<number, number> {
  const { body } = record;
  const kept = new Map<number, number>();
  const computedIn = new Map<number, number>();
  for (const [number, walk] of plan.walks.entries()) {
    const wanted = wantedBy(record, walk);
    for (let position = body.length - 1; position >= 0; position--) {
      const instruction = body[position]!;
      const earlier = computedIn.get(position);
      if (earlier === undefined || kept.has(position) || kept.size >= most) continue;
      if (!expensive(instruction) || !plan.variesInRow[position] || valueType(instruction.dtype) !== "f32") continue;
      const stop = new Map([...kept].map(([at]) => [at, ""]));
      if (reachable(body, wanted, stop)[position]) kept.set(position, earlier);
    }
    const needed = reachable(body, wanted);
    for (let position = 0; position < body.length; position++) {
      if (needed[position] && !computedIn.has(position)) computedIn.set(position, number);
    }
  }
  return kept;
}
