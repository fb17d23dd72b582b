/** What a reduction kernel does in each walk over its points, the same for all schedules and targets. */

import { operandsInPass } from "../../src/kernels/operands.js";
import type { ReductionKernel } from "../../src/kernels/record.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { valueType } from "../scalar/dialect.js";
import { type InstructionOf, reachable } from "../scalar/print.js";
import type { Space } from "./space.js";
import { passesOf, stagesOf } from "./stages.js";
import { varyingAlong } from "./variation.js";

export type Reduce = InstructionOf<"reduce">;

/** The `reduce` instruction at a position. */
export function reduceAt(body: ScalarProgram, position: number): Reduce {
  const instruction = body[position]!;
  if (instruction.kind !== "reduce") throw new Error(`instruction ${position} is no reduction`);
  return instruction;
}

/** Whether a reduction adds up floats: those need partial sums, since rounding grows with the number of terms. */
export const sumsFloats = (reduce: Reduce): boolean => reduce.reduction === "sum" && valueType(reduce.dtype) === "f32";

/** One walk over the points of a row: what it folds, and which stores (by number) it writes at every point. */
export interface Walk {
  readonly reduces: readonly number[];
  readonly stores: readonly number[];
}

export interface ReductionPlan {
  readonly walks: readonly Walk[];
  /** Numbers of the stores that are written once per row, after all walks. */
  readonly rowStores: readonly number[];
  /** Whether each instruction changes along a reduced dimension. */
  readonly variesInRow: readonly boolean[];
}

/** `space` has the reduced dimensions last. */
export function planReduction(record: ReductionKernel, space: Space): ReductionPlan {
  const { body, stores } = record;
  const rows = record.extents.length - record.reduced;
  const stages = stagesOf(body);
  const passes = passesOf(
    body,
    stores.map((store) => store.value),
  );
  const rowStores: number[] = [];
  const pointStores: number[] = [];
  for (const [number, store] of stores.entries()) {
    const perRow = store.access.strides.slice(rows).every((stride) => stride === 0);
    (perRow ? rowStores : pointStores).push(number);
  }
  const walks = passes.map((reduces): Walk => ({ reduces, stores: [] }));
  if (pointStores.length > 0) {
    // Stores that need no result of the last walk join it. They cannot join an earlier one: a later walk may read what they overwrite.
    const last = walks[walks.length - 1];
    const ready = pointStores.every((number) => stages[stores[number]!.value]! < walks.length);
    if (last && ready) walks[walks.length - 1] = { reduces: last.reduces, stores: pointStores };
    else walks.push({ reduces: [], stores: pointStores });
  }
  const first = space.extents.length - space.reduced;
  const dimensions = space.extents.map((_, dimension) => dimension).slice(first);
  return { walks, rowStores, variesInRow: varyingAlong(body, space, dimensions) };
}

/** Positions whose values a walk needs at every point. */
export const wantedBy = (record: ReductionKernel, walk: Walk): readonly number[] => [
  ...walk.reduces.map((position) => reduceAt(record.body, position).operand),
  ...walk.stores.map((number) => record.stores[number]!.value),
];

/** The values, constant along the row, that the points of a walk read: computed before it, once per row. */
export function rowOperands(
  record: ReductionKernel,
  plan: ReductionPlan,
  walk: Walk,
  known: ReadonlyMap<number, string>,
): readonly number[] {
  const { body } = record;
  const wanted = wantedBy(record, walk);
  const needed = reachable(body, wanted, known);
  const found = new Set<number>();
  const consider = (position: number) => {
    if (!plan.variesInRow[position] && !known.has(position) && body[position]!.kind !== "constant") found.add(position);
  };
  for (const position of wanted) consider(position);
  for (let position = 0; position < body.length; position++) {
    if (!needed[position] || !plan.variesInRow[position] || known.has(position)) continue;
    for (const operand of operandsInPass(body[position]!)) consider(operand);
  }
  return [...found].sort((a, b) => a - b);
}
