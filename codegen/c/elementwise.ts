/** Elementwise kernels: a vectorised loop along one dimension, the others counted by units. */
import { elementCount } from "../../src/graph/shape.js";
import { operandsInPass } from "../../src/kernels/operands.js";
import type { Buffer, ElementwiseKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { cDialect } from "../scalar/dialect.js";
import { printScalars } from "../scalar/print.js";
import { accessCost, bodyCost, loopCost } from "../schedules/cost.js";
import { inStoreOrder, joined, permuted, type Space, spaceOf } from "../schedules/space.js";
import { varyingAlong } from "../schedules/variation.js";
import { hoistable, placeLeaves, printRowValues } from "./body.js";
import { stored } from "./storage.js";
import { KernelWriter } from "./writer.js";

/** Points of the innermost loop that one unit takes at most; longer dimensions are cut. */
const blockLength = 4096;

/** Sides of a tile where a load runs across the store's direction: its cache lines are read whole while they are near. */
const tileRows = 32;
const tileLength = 64;

/** The outer dimension along which a load walks memory that it crosses in the innermost one, if there is enough of both. */
function crossed(space: Space): number | undefined {
  const inner = space.extents.length - 1;
  for (const { address } of space.loads) {
    if (inner < 1 || Math.abs(address.strides[inner]!) < 16 || space.extents[inner]! < tileRows) continue;
    const along = address.strides.findIndex((stride, dimension) => dimension < inner && Math.abs(stride) === 1);
    if (along >= 0 && space.extents[along]! >= 8) return along;
  }
  return undefined;
}

/** Cost per point when `dimension` is innermost. */
function costAlong(space: Space, dimension: number, body: number): number {
  const accesses = [...space.loads, ...space.stores].reduce((sum, view) => sum + accessCost(view, dimension), 0);
  return loopCost(accesses + body, space.extents[dimension]!);
}

/** The space with its cheapest innermost dimension last, and the cost per point. A scalar becomes one dimension of extent 1. */
function scheduled(record: ElementwiseKernel): { readonly space: Space; readonly cost: number } {
  const space = joined(inStoreOrder(spaceOf(record)));
  const body = bodyCost(record.body);
  if (space.extents.length === 0) return { space, cost: 10 };
  let best = space.extents.length - 1;
  for (let dimension = best - 1; dimension >= 0; dimension--) {
    if (costAlong(space, dimension, body) < 0.8 * costAlong(space, best, body)) best = dimension;
  }
  const order = space.extents.map((_, dimension) => dimension).filter((dimension) => dimension !== best);
  return { space: permuted(space, [...order, best]), cost: costAlong(space, best, body) };
}

/** Emits the kernels of an elementwise record: one, or none when the space is empty. */
export function emitElementwise(record: ElementwiseKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const points = elementCount(record.extents);
  if (points === 0 || record.stores.length === 0) return [];
  const { space, cost } = scheduled(record);
  const writer = new KernelWriter(buffers);
  const inner = space.extents.length - 1;
  const lane = inner >= 0 ? { dimension: inner, variable: "i" } : undefined;
  const length = inner >= 0 ? space.extents[inner]! : 1;
  const tiled = crossed(space);
  const block = tiled === undefined ? blockLength : tileLength;
  const outer = space.extents.slice(0, -1).map((extent, dimension) => ({
    key: dimension === tiled ? "tiles" : String(dimension),
    extent: dimension === tiled ? Math.ceil(extent / tileRows) : extent,
  }));
  const blocks = Math.ceil(length / block);
  const cut = blocks > 1;
  const counted = cut ? [...outer, { key: "blocks", extent: blocks }] : outer;

  if (lane) writer.line(`const int64_t length = ${writer.integer("length", length)};`);
  const names = writer.openUnits(counted);
  const fixed = new Map(outer.map((_, dimension) => [dimension, names[dimension]!]));
  if (cut) {
    writer.line(`const int64_t start = ${names[outer.length]} * ${block};`);
    writer.line(`const int32_t count = (int32_t)weft_least(length - start, ${block});`);
    fixed.set(inner, "start");
  } else if (lane) writer.line("const int32_t count = (int32_t)length;");
  if (tiled !== undefined) {
    const first = `${names[tiled]} * ${tileRows}`;
    const end = `weft_least(${first} + ${tileRows}, ${writer.integer("across", space.extents[tiled]!)})`;
    writer.line(`const int64_t row_end = ${end};`);
    writer.open(`for (int64_t row = ${first}; row < row_end; row++) {`);
    fixed.set(tiled, "row");
  }

  const wanted = record.stores.map((store) => store.value);
  const varies = varyingAlong(record.body, space, lane ? [inner] : []);
  const hoisted = hoistable(record.body, varies, wanted, new Map(), (position) =>
    operandsInPass(record.body[position]!),
  );
  const outside = new Map([...fixed].filter(([dimension]) => dimension !== inner));
  const known = printRowValues(writer, record.body, space, hoisted, new Map(), outside);
  const leaves = placeLeaves(writer, record.body, space, wanted, known, fixed, lane);
  const targets = space.stores.map((view, number) => writer.place(`store${number}`, view, fixed, lane, "write"));
  if (lane) {
    writer.line("#pragma omp simd");
    writer.open("for (int32_t i = 0; i < count; i++) {");
  }
  const printed = printScalars(record.body, wanted, leaves, cDialect, { known });
  writer.line(...printed.statements);
  for (const [number, store] of record.stores.entries()) {
    const dtype = writer.dtype(store.access.buffer);
    writer.line(`${targets[number]!.element()} = ${stored(dtype, printed.name(store.value))};`);
  }
  if (lane) writer.close();
  if (tiled !== undefined) writer.close();
  writer.closeUnits(counted.length);
  return [writer.finish(elementCount(counted.map(({ extent }) => extent)), cost * points)];
}
