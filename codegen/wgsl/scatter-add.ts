/** Scatter-add: a thread for every element of the target, which goes over all updates. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ScatterAddKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { plainView } from "./plain-view.js";
import { KernelWriter, workgroupSize } from "./writer.js";

/**
 * Emits the kernels of a scatter-add: one, or none when the target is empty. Sums run in the order of the updates.
 * @throws RangeError for numbers that are no f32.
 */
export function emitScatterAdd(record: ScatterAddKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { batch, updates, size, rest } = record;
  const elements = elementCount(batch) * size * elementCount(rest);
  if (elements === 0) return [];
  const { dtype } = buffers[record.source.buffer]!;
  if (dtype !== "f32") throw new RangeError(`a scatter-add of ${dtype}; the kernel adds f32`);
  const writer = new KernelWriter(buffers, [record.target.buffer]);
  writer.line(
    `let element = unit * ${workgroupSize} + lane;`,
    `if (element >= ${writer.integer("elements", elements)}) { return; }`,
  );
  const ofTarget = [...batch, size, ...rest].map((extent, dimension) => ({ dimension, extent }));
  const target = writer.coordinates(ofTarget, "element");
  const index = target.get(batch.length)!;
  const updateCount = writer.integer("updates", elementCount(updates));
  writer.line("var sum = 0.0f;");
  writer.open(`for (var update = 0; update < ${updateCount}; update++) {`);
  const ofUpdates = updates.map((extent, place) => ({ dimension: batch.length + place, extent }));
  /** Batch and update, then the rest. */
  const source = new Map([
    ...batch.map((_, dimension) => [dimension, target.get(dimension)!] as const),
    ...writer.coordinates(ofUpdates, "update", "extent.update"),
  ]);
  const wanted = writer.read("indices", plainView(record.indices), source)();
  writer.open(`if (weft_clamp_index(${wanted}, ${writer.integer("size", size)}) == ${index}) {`);
  for (const place of rest.keys()) {
    source.set(batch.length + updates.length + place, target.get(batch.length + 1 + place)!);
  }
  writer.line(`sum += ${writer.read("source", plainView(record.source), source)()};`);
  writer.close();
  writer.close();
  writer.write("target", plainView(record.target), target, "sum");
  const perThread = 0.3 * elementCount(updates) + 1;
  return [writer.finish(Math.ceil(elements / workgroupSize), elements * perThread)];
}
