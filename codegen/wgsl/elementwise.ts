/** Elementwise kernels: a thread for every point. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ElementwiseKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { bodyCost } from "../schedules/cost.js";
import { inStoreOrder, joined, spaceOf } from "../schedules/space.js";
import { writeValues } from "./body.js";
import { KernelWriter, workgroupSize } from "./writer.js";

/** Emits the kernels of an elementwise record: one, or none when the space is empty. */
export function emitElementwise(record: ElementwiseKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const points = elementCount(record.extents);
  if (points === 0 || record.stores.length === 0) return [];
  const space = joined(inStoreOrder(spaceOf(record)));
  const writer = new KernelWriter(
    buffers,
    record.stores.map((store) => store.access.buffer),
  );
  writer.line(`let point = unit * ${workgroupSize} + lane;`);
  writer.line(`if (point >= ${writer.integer("points", points)}) { return; }`);
  const coordinates = writer.coordinates(
    space.extents.map((extent, dimension) => ({ dimension, extent })),
    "point",
  );
  const wanted = record.stores.map((store) => store.value);
  const value = writeValues(writer, record.body, space, wanted, coordinates);
  for (const [number, store] of record.stores.entries()) {
    writer.write(`store${number}`, space.stores[number]!, coordinates, value(store.value));
  }
  return [writer.finish(Math.ceil(points / workgroupSize), bodyCost(record.body) * points)];
}
