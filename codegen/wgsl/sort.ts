/**
 * Sorts: a thread for every key, which counts the keys that come before its own. Every workgroup goes over all keys of its row in blocks
 * that its threads share.
 */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, SortKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { plainView } from "./plain-view.js";
import { KernelWriter, workgroupSize } from "./writer.js";

/** A word that is ordered as the float is: negative ones count backwards, -0 is 0 and what is no number comes last. */
const orderedFloat = `fn ordered(key: f32) -> u32 {
  let bits = bitcast<u32>(key);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}`;

const orderedInteger = "fn ordered(key: i32) -> u32 { return bitcast<u32>(key) ^ 0x80000000u; }";

/**
 * Emits the kernels of a sort: one, or none when there are no keys.
 * @throws RangeError for keys that are neither f32 nor i32.
 */
export function emitSort(record: SortKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { batch, length, keys, order } = record;
  const batches = elementCount(batch);
  if (batches * length === 0) return [];
  const { dtype } = buffers[keys.buffer]!;
  if (dtype !== "f32" && dtype !== "i32") throw new RangeError(`a sort of ${dtype}; the kernel sorts f32 and i32`);
  const writer = new KernelWriter(buffers, [order.buffer]);
  writer.declare(dtype === "f32" ? orderedFloat : orderedInteger);
  writer.declare(`var<workgroup> block: array<u32, ${workgroupSize}>;`);
  const blocks = Math.ceil(length / workgroupSize);
  const count = writer.integer("length", length);
  const blockCount = writer.integer("blocks", blocks);
  const ofBatch = writer.coordinates(
    batch.map((extent, dimension) => ({ dimension, extent })),
    writer.let("row", `unit / ${blockCount}`),
  );
  const place = writer.let("place", `unit % ${blockCount} * ${workgroupSize} + lane`);
  const at = (coordinate: string) => new Map([...ofBatch, [batch.length, coordinate] as const]);
  // Threads behind the last key have its word, and no place to write to.
  const own = writer.read("keys", plainView(keys), at(`min(${place}, ${count} - 1)`))();
  const word = writer.let("word", `ordered(${own})`);
  writer.line("var rank = 0;");
  writer.open(`for (var first = 0; first < ${count}; first += ${workgroupSize}) {`);
  writer.open(`if (first + lane < ${count}) {`);
  writer.line(`block[lane] = ordered(${writer.read("keys", plainView(keys), at("(first + lane)"))()});`);
  writer.close();
  writer.line("workgroupBarrier();", `let some = min(${workgroupSize}, ${count} - first);`);
  writer.open("for (var other = 0; other < some; other++) {");
  writer.line(`let is_before = block[other] < ${word} || (block[other] == ${word} && first + other < ${place});`);
  writer.line("rank += select(0, 1, is_before);");
  writer.close();
  writer.line("workgroupBarrier();");
  writer.close();
  writer.open(`if (${place} < ${count}) {`);
  writer.write("order", plainView(order), at("rank"), place);
  writer.close();
  return [writer.finish(batches * blocks, batches * length * (length * 0.05 + 1))];
}
