/** The row schedule: a unit is one row, vector lanes lie along its last reduced dimension. */
import { elementCount } from "../../src/graph/shape.js";
import { operandsInPass } from "../../src/kernels/operands.js";
import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { cDialect } from "../scalar/dialect.js";
import { printScalars } from "../scalar/print.js";
import type { ReductionSchedule } from "../schedules/reduction.js";
import { planReduction, reduceAt, rowOperands, sumsFloats, type Walk, wantedBy } from "../schedules/reduction-walks.js";
import { alsoVarying, varyingAlong } from "../schedules/variation.js";
import { hoistable, placeLeaves, printRowValues } from "./body.js";
import { keptValues } from "./kept-values.js";
import { clause, folded, foldedType, identity, overtakes } from "./reduction-fold.js";
import { stored } from "./storage.js";
import { KernelWriter } from "./writer.js";

/** Points added up in f32 (in vector lanes) before the sum goes into a double. */
const sumBlock = 2048;

/** Points of a row whose expensive values are kept in the workspace between walks. */
const keptPoints = 1 << 18;

export function emitRows(
  record: ReductionKernel,
  schedule: ReductionSchedule,
  buffers: readonly Buffer[],
): EmittedKernel {
  const { space } = schedule;
  const { body } = record;
  const rank = space.extents.length;
  const rowCount = rank - space.reduced;
  const inner = rank - 1;
  const lane = { dimension: inner, variable: "i" };
  const points = elementCount(space.extents.slice(rowCount));
  const plan = planReduction(record, space);
  const kept = points <= keptPoints ? keptValues(record, plan, 3) : new Map<number, number>();
  const keptNames = new Map([...kept.keys()].map((position, number) => [position, `w${number}`]));
  const writer = new KernelWriter(buffers);

  const rowDimensions = space.extents
    .slice(0, rowCount)
    .map((extent, dimension) => ({ key: String(dimension), extent }));
  for (const name of keptNames.values()) {
    const number = Number(name.slice(1));
    writer.line(
      `float *const ${name} = (float *)workspace + ${number} * ${writer.integer("kept", Math.ceil(points / 16) * 16)};`,
    );
  }
  const names = writer.openUnits(rowDimensions);
  const fixed = new Map(rowDimensions.map((_, dimension) => [dimension, names[dimension]!]));
  const extents = new Map<number, string>();
  for (let dimension = rowCount; dimension < rank; dimension++) {
    const extent = writer.integer(`extent.${dimension}`, space.extents[dimension]!);
    const limited = space.limit !== undefined && space.limit.form.strides[dimension] !== 0;
    const spelled = limited
      ? `weft_least(${extent}, ${writer.integer("limit", space.limit.size)} - (${writer.affine("limit", space.limit.form, fixed)}))`
      : extent;
    writer.line(`const int64_t length${dimension} = ${spelled};`);
    extents.set(dimension, `length${dimension}`);
  }

  let known: ReadonlyMap<number, string> = new Map();
  const long = space.extents[inner]! > sumBlock;

  const walkPoints = (walk: Walk, number: number): void => {
    const reduces = walk.reduces.map((position) => ({ position, reduce: reduceAt(body, position) }));
    const hasArgument = reduces.some(({ reduce }) => reduce.reduction === "argmax");
    known = printRowValues(writer, body, space, rowOperands(record, plan, walk, known), known, fixed);
    for (const { position, reduce } of reduces) {
      if (sumsFloats(reduce)) writer.line(`double total${position} = 0.0;`);
      else writer.line(`${foldedType(body, reduce)} total${position} = ${identity(body, reduce)};`);
      if (reduce.reduction === "argmax") writer.line(`int32_t where${position} = 0;`);
    }
    const linear = hasArgument || kept.size > 0;
    if (linear) writer.line(`int64_t point${number} = 0;`);

    const inside = new Map(fixed);
    for (let dimension = rowCount; dimension < inner; dimension++) {
      writer.open(`for (int64_t r${dimension} = 0; r${dimension} < ${extents.get(dimension)}; r${dimension}++) {`);
      inside.set(dimension, `r${dimension}`);
    }
    if (long) {
      writer.open(`for (int64_t start = 0; start < ${extents.get(inner)}; start += ${sumBlock}) {`);
      writer.line(`const int32_t count${number} = (int32_t)weft_least(${extents.get(inner)} - start, ${sumBlock});`);
    } else writer.line(`const int32_t count${number} = (int32_t)${extents.get(inner)};`);

    const wanted = wantedBy(record, walk);
    const available = new Map(known);
    for (const [position, computedIn] of kept) {
      if (computedIn < number) available.set(position, `${keptNames.get(position)}[point${number} + i]`);
    }
    const varies = alsoVarying(body, varyingAlong(body, space, [inner]), (position) => kept.has(position));
    const hoisted = hoistable(body, varies, wanted, available, (position) => operandsInPass(body[position]!));
    const outside = printRowValues(writer, body, space, hoisted, available, inside);
    if (long) inside.set(inner, "start");
    const leaves = placeLeaves(writer, body, space, wanted, outside, inside, lane);
    const targets = walk.stores.map((store) =>
      writer.place(`store${store}`, space.stores[store]!, inside, lane, "write"),
    );
    for (const { position, reduce } of reduces) if (sumsFloats(reduce)) writer.line(`float part${position} = 0.0f;`);
    const accumulator = (position: number) =>
      sumsFloats(reduceAt(body, position)) ? `part${position}` : `total${position}`;
    if (!hasArgument) {
      const clauses = reduces.map(
        ({ position, reduce }) => ` reduction(${clause(body, reduce)} : ${accumulator(position)})`,
      );
      writer.line(`#pragma omp simd${clauses.join("")}`);
    }
    writer.open(`for (int32_t i = 0; i < count${number}; i++) {`);
    const keeping = [...kept].filter(([, computedIn]) => computedIn === number).map(([position]) => position);
    const printed = printScalars(body, [...wanted, ...keeping], leaves, cDialect, { known: outside });
    writer.line(...printed.statements);
    for (const position of keeping) {
      writer.line(`${keptNames.get(position)}[point${number} + i] = ${printed.name(position)};`);
    }
    for (const { position, reduce } of reduces) {
      const value = printed.name(reduce.operand);
      if (reduce.reduction === "argmax") {
        writer.open(`if (${overtakes(body, reduce, `total${position}`, value)}) {`);
        writer.line(`total${position} = ${value};`, `where${position} = (int32_t)(point${number} + i);`);
        writer.close();
      } else {
        writer.line(`${accumulator(position)} = ${folded(body, reduce, accumulator(position), value)};`);
      }
    }
    for (const [place, store] of walk.stores.entries()) {
      const { access, value } = record.stores[store]!;
      writer.line(`${targets[place]!.element()} = ${stored(writer.dtype(access.buffer), printed.name(value))};`);
    }
    writer.close();
    for (const { position, reduce } of reduces)
      if (sumsFloats(reduce)) writer.line(`total${position} += part${position};`);
    if (linear) writer.line(`point${number} += count${number};`);
    if (long) writer.close();
    for (let dimension = rowCount; dimension < inner; dimension++) writer.close();

    const results = new Map(known);
    for (const { position, reduce } of reduces) {
      if (reduce.reduction === "argmax") results.set(position, `where${position}`);
      else if (sumsFloats(reduce)) {
        writer.line(`const float result${position} = (float)total${position};`);
        results.set(position, `result${position}`);
      } else results.set(position, `total${position}`);
    }
    known = results;
  };

  for (const [number, walk] of plan.walks.entries()) walkPoints(walk, number);
  const rowValues = plan.rowStores.map((store) => record.stores[store]!.value);
  known = printRowValues(writer, body, space, rowValues, known, fixed);
  for (const store of plan.rowStores) {
    const { access, value } = record.stores[store]!;
    const target = writer.place(`store${store}`, space.stores[store]!, fixed, undefined, "write");
    writer.line(`${target.element()} = ${stored(writer.dtype(access.buffer), known.get(value)!)};`);
  }
  writer.closeUnits(rowDimensions.length);
  const rows = elementCount(space.extents.slice(0, rowCount));
  return writer.finish(rows, schedule.cost * rows * points);
}
