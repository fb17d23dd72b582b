/** One kernel over rows: walks over their points in private accumulators, and trees that fold the lanes of a row. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { reachable } from "../scalar/print.js";
import { type ReductionSchedule, scheduleReduction } from "../schedules/reduction.js";
import {
  planReduction,
  type Reduce,
  reduceAt,
  rowOperands,
  sumsFloats,
  type Walk,
  wantedBy,
} from "../schedules/reduction-walks.js";
import type { Space } from "../schedules/space.js";
import { stagesOf } from "../schedules/stages.js";
import { writeValues } from "./body.js";
import { folded, foldedType, identity, operandOf, overtakes, resultOf } from "./reduction-fold.js";
import { type Lanes, lanesFor } from "./reduction-lanes.js";
import { type Coordinates, KernelWriter } from "./writer.js";

/** Points of a lane added up before the sum goes into that of all its points, so that rounding grows with neither number. */
const sumBlock = 128;

/** `limit` says where the last of several stretches of a reduced dimension ends. */
export function emitRows(record: ReductionKernel, buffers: readonly Buffer[], limit?: Space["limit"]): EmittedKernel {
  return new RowsKernel(record, buffers, scheduleReduction(record, limit)).emit();
}

/** The walks of a kernel, one after the other: later ones use what earlier ones found. */
class RowsKernel {
  readonly #record: ReductionKernel;
  readonly #schedule: ReductionSchedule;
  readonly #writer: KernelWriter;
  readonly #lanes: Lanes;
  readonly #rows: number;
  readonly #points: number;
  /** Coordinates of the lane's row. */
  #row: Coordinates = new Map();
  /** The reduced dimensions, and an expression where an extent differs among rows. */
  #reduced: readonly { readonly dimension: number; readonly extent: number | string }[] = [];
  /** Spelled values that are the same for all points of a row. */
  #known: ReadonlyMap<number, string> = new Map();

  constructor(record: ReductionKernel, buffers: readonly Buffer[], schedule: ReductionSchedule) {
    const { space, lanes } = schedule;
    const rowCount = space.extents.length - space.reduced;
    this.#record = record;
    this.#schedule = schedule;
    this.#rows = elementCount(space.extents.slice(0, rowCount));
    this.#points = elementCount(space.extents.slice(rowCount));
    this.#lanes = lanesFor(this.#rows, this.#points, lanes === "columns");
    this.#writer = new KernelWriter(
      buffers,
      record.stores.map((store) => store.access.buffer),
    );
  }

  emit(): EmittedKernel {
    const { body, stores } = this.#record;
    const plan = planReduction(this.#record, this.#schedule.space);
    this.#writeRow();
    // What the stores of rows load is loaded before anything is stored.
    const rowValues = plan.rowStores.map((store) => stores[store]!.value);
    const [stages, needed] = [stagesOf(body), reachable(body, rowValues)];
    const isLoad = (position: number) => body[position]!.kind === "load" || body[position]!.kind === "load_indexed";
    this.#writeRowValues([...body.keys()].filter((at) => needed[at] && isLoad(at) && stages[at] === 0));
    for (const walk of plan.walks) {
      this.#writeRowValues(rowOperands(this.#record, plan, walk, this.#known));
      this.#writeWalk(walk);
      if (walk.reduces.length > 0) this.#writeResults(walk);
    }
    this.#writeRowStores(plan.rowStores);
    const units = Math.ceil(this.#rows / this.#lanes.rows);
    return this.#writer.finish(units, this.#schedule.cost * this.#rows * this.#points);
  }

  /** Which row a lane walks, and the number of its points: none where there is no such row, since all lanes must meet at barriers. */
  #writeRow(): void {
    const writer = this.#writer;
    const { perRow, rows, across } = this.#lanes;
    const { extents, reduced, limit } = this.#schedule.space;
    const rowCount = extents.length - reduced;
    if (perRow === 1) {
      writer.line(`let row = unit * ${rows} + lane;`, `if (row >= ${writer.integer("rows", this.#rows)}) { return; }`);
    } else if (rows === 1) {
      writer.line("let row = unit;");
    } else {
      writer.line(
        `let slot = lane ${across ? "%" : "/"} ${across ? rows : perRow};`,
        `let member = lane ${across ? "/" : "%"} ${across ? rows : perRow};`,
        `let exists = unit * ${rows} + slot < ${writer.integer("rows", this.#rows)};`,
        `let row = select(0, unit * ${rows} + slot, exists);`,
      );
    }
    const dimensions = extents.map((extent, dimension) => ({ dimension, extent }));
    this.#row = writer.coordinates(dimensions.slice(0, rowCount), "row");
    this.#reduced = dimensions.slice(rowCount);
    let points = writer.integer("points", this.#points);
    const limited = limit && dimensions.slice(rowCount).find(({ dimension }) => limit.form.strides[dimension] !== 0);
    if (limit && limited) {
      const { dimension, extent } = limited;
      const left = `${writer.integer("limit", limit.size)} - (${writer.affine("limit", limit.form, this.#row)})`;
      const length = writer.let("length", `min(${writer.integer(`extent.${dimension}`, extent)}, ${left})`);
      const others = this.#points / extent;
      points = others === 1 ? length : `${length} * ${writer.integer("others", others)}`;
      this.#reduced = dimensions
        .slice(rowCount)
        .map((one) => (one.dimension === dimension ? { dimension, extent: length } : one));
    }
    writer.line(`let points = ${perRow > 1 && rows > 1 ? `select(0, ${points}, exists)` : points};`);
  }

  /** The lane's number within its row. */
  get #member(): string {
    return this.#lanes.perRow === 1 ? "0" : this.#lanes.rows === 1 ? "lane" : "member";
  }

  #writeRowValues(wanted: readonly number[]): void {
    if (wanted.length === 0) return;
    const { body } = this.#record;
    const value = writeValues(this.#writer, body, this.#schedule.space, wanted, this.#row, { known: this.#known });
    this.#known = new Map([...this.#known, ...wanted.map((position) => [position, value(position)] as const)]);
  }

  #reducesOf(walk: Walk): readonly { readonly position: number; readonly reduce: Reduce }[] {
    return walk.reduces.map((position) => ({ position, reduce: reduceAt(this.#record.body, position) }));
  }

  /** A walk over the lane's points: folds them in private accumulators and writes the stores of points. */
  #writeWalk(walk: Walk): void {
    const writer = this.#writer;
    const { body, stores } = this.#record;
    const { perRow } = this.#lanes;
    const reduces = this.#reducesOf(walk);
    const sums = reduces.filter(({ reduce }) => sumsFloats(reduce));
    const inBlocks = sums.length > 0 && this.#points > perRow * sumBlock;
    for (const { position, reduce } of reduces) {
      writer.line(`var total${position} = ${identity(body, reduce)};`);
      if (reduce.reduction === "argmax") writer.line(`var where${position} = 0;`);
    }
    if (inBlocks) {
      const stretch = perRow * sumBlock;
      writer.open(`for (var start = ${this.#member}; start < points; start += ${stretch}) {`);
      writer.line(`let end = min(start + ${stretch}, points);`);
      for (const { position } of sums) writer.line(`var part${position} = 0.0f;`);
      writer.open(`for (var point = start; point < end; point += ${perRow}) {`);
    } else {
      writer.open(`for (var point = ${this.#member}; point < points; point += ${perRow}) {`);
    }
    const coordinates = new Map([...this.#row, ...writer.coordinates(this.#reduced, "point")]);
    const wanted = wantedBy(this.#record, walk);
    const value = writeValues(writer, body, this.#schedule.space, wanted, coordinates, { known: this.#known });
    for (const { position, reduce } of reduces) {
      const operand = operandOf(body, reduce, value(reduce.operand));
      const total = inBlocks && sumsFloats(reduce) ? `part${position}` : `total${position}`;
      if (reduce.reduction === "argmax") {
        const candidate = writer.let("candidate", operand);
        writer.open(`if (${overtakes(body, reduce, total, candidate)}) {`);
        writer.line(`${total} = ${candidate};`, `where${position} = point;`);
        writer.close();
      } else writer.line(`${total} = ${folded(body, reduce, total, operand)};`);
    }
    for (const number of walk.stores) {
      const view = this.#schedule.space.stores[number]!;
      writer.write(`store${number}`, view, coordinates, value(stores[number]!.value));
    }
    writer.close();
    if (inBlocks) {
      for (const { position } of sums) writer.line(`total${position} += part${position};`);
      writer.close();
    }
  }

  /** Folds what the lanes of a row found in a tree through workgroup memory, and names the results. */
  #writeResults(walk: Walk): void {
    const writer = this.#writer;
    const { body } = this.#record;
    const { perRow, rows, across } = this.#lanes;
    const reduces = this.#reducesOf(walk);
    const results = new Map(this.#known);
    if (perRow > 1) {
      for (const { position, reduce } of reduces) {
        writer.declare(`var<workgroup> totals${position}: array<${foldedType(body, reduce)}, ${perRow * rows}>;`);
        writer.line(`totals${position}[lane] = total${position};`);
        if (reduce.reduction === "argmax") {
          writer.declare(`var<workgroup> places${position}: array<i32, ${perRow * rows}>;`);
          writer.line(`places${position}[lane] = where${position};`);
        }
      }
      writer.open(`for (var distance = ${perRow / 2}; distance > 0; distance = distance >> 1u) {`);
      writer.line("workgroupBarrier();");
      writer.open(`if (${this.#member} < distance) {`);
      const other = writer.let("other", `lane + distance${across && rows > 1 ? ` * ${rows}` : ""}`);
      for (const { position, reduce } of reduces) this.#writeMeeting(position, reduce, other);
      writer.close();
      writer.close();
      writer.line("workgroupBarrier();");
    }
    const first = rows === 1 ? "0" : across ? "slot" : `lane - member`;
    for (const { position, reduce } of reduces) {
      const [total, place] =
        perRow > 1
          ? [`totals${position}[${first}]`, `places${position}[${first}]`]
          : [`total${position}`, `where${position}`];
      const result = reduce.reduction === "argmax" ? place : resultOf(reduce, total);
      results.set(position, writer.let("result", result));
    }
    this.#known = results;
  }

  /** Folds what lane `other` found into what this lane found. */
  #writeMeeting(position: number, reduce: Reduce, other: string): void {
    const writer = this.#writer;
    const { body } = this.#record;
    const [totals, places] = [`totals${position}`, `places${position}`];
    if (reduce.reduction !== "argmax") {
      writer.line(`${totals}[lane] = ${folded(body, reduce, `${totals}[lane]`, `${totals}[${other}]`)};`);
      return;
    }
    const [mine, candidate] = [writer.let("mine", `${totals}[lane]`), writer.let("candidate", `${totals}[${other}]`)];
    // Of equal ones the first.
    const equal = `!(${overtakes(body, reduce, candidate, mine)}) & (${places}[${other}] < ${places}[lane])`;
    writer.open(`if ((${overtakes(body, reduce, mine, candidate)}) | (${equal})) {`);
    writer.line(`${totals}[lane] = ${candidate};`, `${places}[lane] = ${places}[${other}];`);
    writer.close();
  }

  /** The stores of rows: by the first lane of each, once no lane reads any more what they may replace. */
  #writeRowStores(numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    const writer = this.#writer;
    const { body, stores, accesses } = this.#record;
    const { space } = this.#schedule;
    const { perRow, rows } = this.#lanes;
    const replaced = new Set(numbers.map((number) => stores[number]!.access.buffer));
    if (perRow > 1) {
      if (accesses.some(({ buffer }) => replaced.has(buffer))) writer.line("storageBarrier();");
      writer.open(`if (${this.#member} == 0${rows > 1 ? " && exists" : ""}) {`);
    }
    const wanted = numbers.map((number) => stores[number]!.value);
    const value = writeValues(writer, body, space, wanted, this.#row, { known: this.#known });
    for (const number of numbers) {
      writer.write(`store${number}`, space.stores[number]!, this.#row, value(stores[number]!.value));
    }
    if (perRow > 1) writer.close();
  }
}
