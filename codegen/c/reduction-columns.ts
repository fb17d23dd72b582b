/**
 * The column schedule: a unit is a block of neighbouring rows, one per vector lane; all walk the reduced dimensions together. For sums
 * over leading axes (bias gradients) and for rows shorter than a vector.
 */
import { elementCount } from "../../src/graph/shape.js";
import { operandsInPass } from "../../src/kernels/operands.js";
import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { cDialect, valueType } from "../scalar/dialect.js";
import { printScalars } from "../scalar/print.js";
import { columnBlock, type ReductionSchedule } from "../schedules/reduction.js";
import { planReduction, reduceAt, rowOperands, sumsFloats, type Walk, wantedBy } from "../schedules/reduction-walks.js";
import { alsoVarying, varyingAlong } from "../schedules/variation.js";
import { hoistable, placeLeaves, printRowValues } from "./body.js";
import { folded, foldedType, identity, overtakes } from "./reduction-fold.js";
import { stored } from "./storage.js";
import { KernelWriter } from "./writer.js";

/** Points added up in f32 before the sum goes into a double. */
const sumBlock = 128;

export function emitColumns(
  record: ReductionKernel,
  schedule: ReductionSchedule,
  buffers: readonly Buffer[],
): EmittedKernel {
  const { space } = schedule;
  const { body } = record;
  const rank = space.extents.length;
  const rowCount = rank - space.reduced;
  const across = rowCount - 1;
  const lane = { dimension: across, variable: "i" };
  const plan = planReduction(record, space);
  const writer = new KernelWriter(buffers);

  const columns = space.extents[across]!;
  const outer = space.extents.slice(0, across).map((extent, dimension) => ({ key: String(dimension), extent }));
  const counted = [...outer, { key: "blocks", extent: Math.ceil(columns / columnBlock) }];
  const names = writer.openUnits(counted);
  const fixed = new Map(outer.map((_, dimension) => [dimension, names[dimension]!]));
  writer.line(`const int64_t start = ${names[outer.length]} * ${columnBlock};`);
  writer.line(
    `const int32_t count = (int32_t)weft_least(${writer.integer("columns", columns)} - start, ${columnBlock});`,
  );
  const rowFixed = new Map(fixed).set(across, "start");
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
  // Results of reductions stand in arrays with one place per lane, also those that happen to be equal in all lanes.
  const variesAcross = alsoVarying(
    body,
    varyingAlong(body, space, [across]),
    (position) => body[position]!.kind === "reduce",
  );
  const each = (pragma = true): void => {
    if (pragma) writer.line("#pragma omp simd");
    writer.open("for (int32_t i = 0; i < count; i++) {");
  };

  /** Results of reductions and row values, spelled inside a lane loop (`f3[i]`) or outside of it. */
  let known: ReadonlyMap<number, string> = new Map();

  /** Computes values that are constant along the row: in a local for all lanes, or in an array with one per lane. */
  const printRows = (wanted: readonly number[]): void => {
    const common = wanted.filter((position) => !variesAcross[position] && body[position]!.kind !== "constant");
    known = printRowValues(writer, body, space, common, known, fixed);
    const own = wanted.filter((position) => variesAcross[position] && !known.has(position));
    if (own.length === 0) return;
    const hoisted = hoistable(body, variesAcross, own, known, (position) => operandsInPass(body[position]!));
    const outside = printRowValues(writer, body, space, hoisted, known, fixed);
    const leaves = placeLeaves(writer, body, space, own, outside, rowFixed, lane);
    for (const position of own) {
      writer.line(`${cDialect.type(valueType(body[position]!.dtype))} row${position}[${columnBlock}];`);
    }
    each();
    const printed = printScalars(body, own, leaves, cDialect, { known: outside });
    writer.line(...printed.statements);
    for (const position of own) writer.line(`row${position}[i] = ${printed.name(position)};`);
    writer.close();
    const names = new Map(known);
    for (const position of own) names.set(position, `row${position}[i]`);
    known = names;
  };

  const walkPoints = (walk: Walk, number: number): void => {
    const reduces = walk.reduces.map((position) => ({ position, reduce: reduceAt(body, position) }));
    const sums = reduces.filter(({ reduce }) => sumsFloats(reduce));
    const hasArgument = reduces.some(({ reduce }) => reduce.reduction === "argmax");
    printRows(rowOperands(record, plan, walk, known));
    for (const { position, reduce } of reduces) {
      writer.line(`${foldedType(body, reduce)} part${position}[${columnBlock}];`);
      if (sumsFloats(reduce)) writer.line(`double total${position}[${columnBlock}];`);
      if (reduce.reduction === "argmax") writer.line(`int32_t where${position}[${columnBlock}];`);
    }
    if (reduces.length > 0) {
      each();
      for (const { position, reduce } of reduces) {
        writer.line(`part${position}[i] = ${identity(body, reduce)};`);
        if (sumsFloats(reduce)) writer.line(`total${position}[i] = 0.0;`);
        if (reduce.reduction === "argmax") writer.line(`where${position}[i] = 0;`);
      }
      writer.close();
    }
    if (hasArgument) writer.line(`int32_t point${number} = 0;`);
    if (sums.length > 0) writer.line(`int32_t pending${number} = 0;`);

    const inside = new Map(rowFixed);
    for (let dimension = rowCount; dimension < rank; dimension++) {
      writer.open(`for (int64_t r${dimension} = 0; r${dimension} < ${extents.get(dimension)}; r${dimension}++) {`);
      inside.set(dimension, `r${dimension}`);
    }
    const wanted = wantedBy(record, walk);
    const hoisted = hoistable(body, variesAcross, wanted, known, (position) => operandsInPass(body[position]!));
    const withoutLane = new Map([...inside].filter(([dimension]) => dimension !== across));
    const outside = printRowValues(writer, body, space, hoisted, known, withoutLane);
    const leaves = placeLeaves(writer, body, space, wanted, outside, inside, lane);
    const targets = walk.stores.map((store) =>
      writer.place(`store${store}`, space.stores[store]!, inside, lane, "write"),
    );
    each();
    const printed = printScalars(body, wanted, leaves, cDialect, { known: outside });
    writer.line(...printed.statements);
    for (const { position, reduce } of reduces) {
      const value = printed.name(reduce.operand);
      const best = `part${position}[i]`;
      if (reduce.reduction === "argmax") {
        writer.line(`const int32_t over${position} = ${overtakes(body, reduce, best, value)};`);
        writer.line(`where${position}[i] = over${position} ? point${number} : where${position}[i];`);
        writer.line(`${best} = over${position} ? ${value} : ${best};`);
      } else writer.line(`${best} = ${folded(body, reduce, best, value)};`);
    }
    for (const [place, store] of walk.stores.entries()) {
      const { access, value } = record.stores[store]!;
      writer.line(`${targets[place]!.element()} = ${stored(writer.dtype(access.buffer), printed.name(value))};`);
    }
    writer.close();
    if (hasArgument) writer.line(`point${number}++;`);
    const flush = () => {
      each();
      for (const { position } of sums)
        writer.line(`total${position}[i] += part${position}[i];`, `part${position}[i] = 0.0f;`);
      writer.close();
    };
    if (sums.length > 0) {
      writer.open(`if (++pending${number} == ${sumBlock}) {`);
      flush();
      writer.line(`pending${number} = 0;`);
      writer.close();
    }
    for (let dimension = rowCount; dimension < rank; dimension++) writer.close();

    const results = new Map(known);
    if (sums.length > 0) {
      each();
      for (const { position } of sums)
        writer.line(`part${position}[i] = (float)(total${position}[i] + part${position}[i]);`);
      writer.close();
    }
    for (const { position, reduce } of reduces) {
      results.set(position, reduce.reduction === "argmax" ? `where${position}[i]` : `part${position}[i]`);
    }
    known = results;
  };

  for (const [number, walk] of plan.walks.entries()) walkPoints(walk, number);
  const values = plan.rowStores.map((store) => record.stores[store]!.value);
  if (values.length > 0) {
    const hoisted = hoistable(body, variesAcross, values, known, (position) => operandsInPass(body[position]!));
    const outside = printRowValues(writer, body, space, hoisted, known, fixed);
    const leaves = placeLeaves(writer, body, space, values, outside, rowFixed, lane);
    const targets = plan.rowStores.map((store) =>
      writer.place(`store${store}`, space.stores[store]!, rowFixed, lane, "write"),
    );
    each();
    const printed = printScalars(body, values, leaves, cDialect, { known: outside });
    writer.line(...printed.statements);
    for (const [place, store] of plan.rowStores.entries()) {
      const { access, value } = record.stores[store]!;
      writer.line(`${targets[place]!.element()} = ${stored(writer.dtype(access.buffer), printed.name(value))};`);
    }
    writer.close();
  }
  writer.closeUnits(counted.length);
  const points = elementCount(space.extents);
  return writer.finish(elementCount(counted.map(({ extent }) => extent)), schedule.cost * points);
}
