/** The functions that a contraction's driver calls: operands computed while they are packed, and epilogues. */

import { operandsInPass } from "../../src/kernels/operands.js";
import type { BufferId, ContractionKernel, Operand } from "../../src/kernels/record.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { cDialect } from "../scalar/dialect.js";
import { printScalars } from "../scalar/print.js";
import { contiguousLoads, type Joined, joinGroups } from "../schedules/groups.js";
import { alsoVarying, varyingAlong } from "../schedules/variation.js";
import { hoistable, placeLeaves, printRowValues } from "./body.js";
import { stored } from "./storage.js";
import type { KernelWriter } from "./writer.js";

/** Coordinates of the dimensions of a group from their joined index; row-major. Written as constants. */
function openCoordinates(
  writer: KernelWriter,
  { space }: Joined,
  dimensions: readonly number[],
  index: string,
): Map<number, string> {
  const coordinates = new Map<number, string>();
  let rest = index;
  for (const dimension of [...dimensions].reverse()) {
    if (dimension === dimensions[0]) {
      coordinates.set(dimension, rest);
      continue;
    }
    const extent = writer.integer(`extent.${dimension}`, space.extents[dimension]!);
    const coordinate = writer.fresh("c");
    const outer = writer.fresh("q");
    writer.line(`const int64_t ${coordinate} = ${rest} % ${extent};`, `const int64_t ${outer} = ${rest} / ${extent};`);
    coordinates.set(dimension, coordinate);
    rest = outer;
  }
  return coordinates;
}

/**
 * Writes the loops of a hook: over `outer` (one joined index a turn), then along `inner` in runs of its last dimension, vectorised. `inside`
 * gets the coordinates fixed in a run and the lane, and writes what is done for lane i.
 */
function writeLoops(
  writer: KernelWriter,
  joined: Joined,
  fixed: ReadonlyMap<number, string>,
  outer: { readonly dimensions: readonly number[]; readonly first: string; readonly count: string },
  inner: { readonly dimensions: readonly number[]; readonly first: string; readonly count: string },
  body: ScalarProgram,
  wanted: readonly number[],
  run: (names: {
    readonly coordinates: ReadonlyMap<number, string>;
    readonly lane: { readonly dimension: number; readonly variable: string } | undefined;
    readonly outer: string;
    readonly inner: string;
  }) => { readonly accumulator?: () => string; readonly finish: (name: (position: number) => string) => void },
): void {
  const { space } = joined;
  const last = inner.dimensions[inner.dimensions.length - 1];
  writer.open(`for (int64_t turn = 0; turn < ${outer.count}; turn++) {`);
  writer.line(`const int64_t place = ${outer.first} + turn;`);
  const around = new Map([...fixed, ...openCoordinates(writer, joined, outer.dimensions, "place")]);
  writer.open(`for (int64_t at = 0; at < ${inner.count};) {`);
  writer.line(`const int64_t start = ${inner.first} + at;`);
  const own = openCoordinates(writer, joined, inner.dimensions, "start");
  const rest = `${inner.count} - at`;
  if (last === undefined || inner.dimensions.length === 1) writer.line(`const int32_t length = (int32_t)(${rest});`);
  else {
    const left = `${writer.integer(`extent.${last}`, space.extents[last]!)} - ${own.get(last)!}`;
    writer.line(`const int32_t length = (int32_t)weft_least(${rest}, ${left});`);
  }
  const coordinates = new Map([...around, ...own]);
  const lane = last === undefined ? undefined : { dimension: last, variable: "i" };
  // What stands still along the lane is computed before it; the sums never do.
  const varies = alsoVarying(
    body,
    varyingAlong(body, space, last === undefined ? [] : [last]),
    (position) => body[position]!.kind === "accumulator",
  );
  const hoisted = hoistable(body, varies, wanted, new Map(), (position) => operandsInPass(body[position]!));
  const known = printRowValues(writer, body, space, hoisted, new Map(), coordinates);
  const leaves = placeLeaves(writer, body, space, wanted, known, coordinates, lane);
  const { accumulator, finish } = run({ coordinates, lane, outer: "turn", inner: "at" });
  writer.line("#pragma omp simd");
  writer.open("for (int32_t i = 0; i < length; i++) {");
  const printed = printScalars(body, wanted, accumulator ? { ...leaves, accumulator } : leaves, cDialect, { known });
  writer.line(...printed.statements);
  finish(printed.name);
  writer.close();
  writer.line("at += length;");
  writer.close();
  writer.close();
}

/** An operand as a function that writes a stretch of it. */
export interface Fill {
  readonly text: string;
  /** An initialiser of weft_filled. */
  readonly entry: string;
}

/**
 * Prints the weft_fill of an operand over [batch, lines, k]; its accesses have strides for these dimensions only. Lanes lie along k or
 * along the lines, whichever more loads are contiguous in.
 */
export function printFill(
  writer: KernelWriter,
  name: string,
  operand: Operand,
  groups: readonly (readonly number[])[],
): Fill {
  const joined = joinGroups(groups, operand.accesses, operand.body, []);
  const [batch, lines, reduced] = joined.members as [readonly number[], readonly number[], readonly number[]];
  const alongLines =
    contiguousLoads(joined, 1) > contiguousLoads(joined, 2) || (reduced.length === 0 && lines.length > 0);
  const ofLines = { dimensions: lines, first: "line", count: "lines" };
  const ofReduced = { dimensions: reduced, first: "first", count: "count" };
  const wanted = [operand.body.length - 1];
  writer.startFunction(name);
  const fixed = openCoordinates(writer, joined, batch, "batch");
  const [outer, inner] = alongLines ? [ofReduced, ofLines] : [ofLines, ofReduced];
  writeLoops(writer, joined, fixed, outer, inner, operand.body, wanted, (names) => {
    writer.line(`float *const to = out + ${names.outer} * step + ${names.inner};`);
    return { finish: (value) => writer.line(`to[i] = ${value(wanted[0]!)};`) };
  });
  const text = writer.takeFunction(
    `static void ${name}(const weft_arguments *arguments, int64_t batch, int64_t line, int64_t lines, int64_t first, int64_t count, float *out, int64_t step)`,
  );
  const batched = varyingAlong(operand.body, joined.space, batch)[wanted[0]!]! || hasRandom(operand.body);
  return { text, entry: `{${name}, ${alongLines ? "WEFT_ALONG_LINES" : "WEFT_ALONG_K"}, ${batched ? 1 : 0}}` };
}

const hasRandom = (body: ScalarProgram): boolean => body.some((instruction) => instruction.kind === "random");

/** Prints the weft_epilogue of a contraction. */
export function printEpilogue(
  writer: KernelWriter,
  name: string,
  record: ContractionKernel,
  dtypeOf: (buffer: BufferId) => Parameters<typeof stored>[0],
): string {
  const { batch, rows, columns, accesses, epilogue, stores } = record;
  const joined = joinGroups([batch, rows, columns], accesses, epilogue, stores);
  const [ofBatch, ofRows, ofColumns] = joined.members as [readonly number[], readonly number[], readonly number[]];
  writer.startFunction(name);
  const fixed = openCoordinates(writer, joined, ofBatch, "batch");
  writeLoops(
    writer,
    joined,
    fixed,
    { dimensions: ofRows, first: "row", count: "rows" },
    { dimensions: ofColumns, first: "column", count: "columns" },
    epilogue,
    stores.map((store) => store.value),
    ({ coordinates, lane, outer, inner }) => {
      writer.line(`const float *const from = sums + ${outer} * step + ${inner};`);
      const targets = joined.space.stores.map((view, number) =>
        writer.place(`store${number}`, view, coordinates, lane, "write"),
      );
      return {
        accumulator: () => "from[i]",
        finish: (value) => {
          for (const [number, store] of stores.entries()) {
            const element = targets[number]!.element();
            writer.line(`${element} = ${stored(dtypeOf(store.access.buffer), value(store.value))};`);
          }
        },
      };
    },
  );
  return writer.takeFunction(
    `static void ${name}(const weft_arguments *arguments, int64_t batch, int64_t row, int64_t rows, int64_t column, int64_t columns, const float *sums, int64_t step)`,
  );
}
