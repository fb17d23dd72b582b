/**
 * The backward pass of attention, in kernels that each bind few enough buffers: a number for every query first, then one kernel for
 * each cotangent. They compute the probabilities again from the log-sums; the formulas stand at the primitive's reference evaluation.
 */
import { contiguousStrides, elementCount } from "../../src/graph/shape.js";
import type { Access, AttentionBackwardKernel, Buffer } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { withPrivateScratch } from "../private-scratch.js";
import {
  element,
  type Place,
  storeElement,
  walkAlong,
  writeChannels,
  writeDot,
  writePlace,
  writeSums,
  writeWeighted,
} from "./attention-head.js";
import { KernelWriter, workgroupSize } from "./writer.js";

/** Emits the kernels of an attention's backward pass: up to four, fewer where there are no queries or no keys. */
export function emitAttentionBackward(
  record: AttentionBackwardKernel,
  buffers: readonly Buffer[],
): readonly EmittedKernel[] {
  const { batch, heads, queries } = record;
  const rows = elementCount(batch) * heads * queries;
  const means: Buffer = { dtype: "f32", elements: rows, home: { segment: "scratch" } };
  const all = [...buffers, means];
  const mean = { buffer: buffers.length, offset: 0, strides: contiguousStrides([...batch, heads, queries]) };
  const kernels = [
    emitMeans(record, all, mean, rows),
    ...(["dq", "dk", "dv"] as const).map((result) => emitCotangent(record, all, mean, result)),
  ];
  return withPrivateScratch(
    kernels.filter((kernel) => kernel !== undefined),
    buffers.length,
    [means],
  );
}

/** The mean slope of a query's scores under their probabilities, which is the sum of output * cotangent: a thread for every query. */
function emitMeans(
  record: AttentionBackwardKernel,
  buffers: readonly Buffer[],
  mean: Access,
  rows: number,
): EmittedKernel | undefined {
  if (rows === 0) return undefined;
  const { batch, heads, queries, valueWidth, output, cotangent } = record;
  const writer = new KernelWriter(buffers, [mean.buffer]);
  writer.line(`let row = unit * ${workgroupSize} + lane;`);
  writer.line(`if (row >= ${writer.integer("rows", rows)}) { return; }`);
  const extents = [...batch, heads, queries];
  const coordinates = writer.coordinates(
    extents.map((extent, dimension) => ({ dimension, extent })),
    "row",
  );
  const place: Place = { batch: coordinates, rank: extents.length };
  const ofOutput = walkAlong(writer, "output", output, place, [undefined]);
  const ofCotangent = walkAlong(writer, "cotangent", cotangent, place, [undefined]);
  writeDot(writer, "sum", writer.integer("value_width", valueWidth), ofOutput, ofCotangent);
  storeElement(writer, "mean", mean, place, [], "sum");
  return writer.finish(Math.ceil(rows / workgroupSize), (rows * valueWidth) / 10);
}

/**
 * The cotangent of q, k or v: a workgroup for every query or key. It meets the lines of the other side in blocks of as many as it has
 * threads, each thread weighing one; then the threads share out the channels. Keys sum over the query heads of their group in order.
 */
function emitCotangent(
  record: AttentionBackwardKernel,
  buffers: readonly Buffer[],
  mean: Access,
  result: "dq" | "dk" | "dv",
): EmittedKernel | undefined {
  const { batch, heads, group, queries, keys } = record;
  const ofQuery = result === "dq";
  const units = elementCount(batch) * (ofQuery ? heads * queries : (heads / group) * keys);
  if (units === 0) return undefined;
  const width = result === "dv" ? record.valueWidth : record.width;
  const widthKey = result === "dv" ? "value_width" : "width";
  const others = ofQuery ? keys : queries;
  const writer = new KernelWriter(buffers, [record[result].buffer]);
  writer.declare(`var<workgroup> weights: array<f32, ${workgroupSize}>;`);
  const groupSize = writer.integer("group", group);
  const otherCount = writer.integer("others", others);
  const place = ofQuery
    ? writePlace(writer, record, ["head", heads], ["query", queries])
    : writePlace(writer, record, ["key_head", heads / group], ["key", keys]);
  writeSums(writer, width);
  if (ofQuery) writer.line(`let key_head = head / ${groupSize};`);
  else {
    writer.open(`for (var member = 0; member < ${groupSize}; member++) {`);
    writer.line(`let head = key_head * ${groupSize} + member;`);
  }
  writer.open(`for (var first = 0; first < ${otherCount}; first += ${workgroupSize}) {`);
  const other = ofQuery ? "key" : "query";
  writer.line(`let ${other} = first + lane;`, "var weight = 0.0f;");
  writer.open(`if (${other} < ${otherCount}) {`);
  writeWeight(writer, record, place, mean, result === "dv" ? "probability" : "slope");
  writer.close();
  writer.line("weights[lane] = weight;", "workgroupBarrier();");
  writer.line(`let count = min(${workgroupSize}, ${otherCount} - first);`);
  writeChannels(writer, width, widthKey, (channel, sum) => {
    writer.line(`var sum = ${sum};`);
    writeWeighted(writer, factorsOf(writer, record, place, result, channel));
    writer.line(`${sum} = sum;`);
  });
  writer.line("workgroupBarrier();");
  writer.close();
  if (!ofQuery) writer.close();
  const line = ofQuery ? ["head", "query"] : ["key_head", "key"];
  writeChannels(writer, width, widthKey, (channel, sum) =>
    storeElement(writer, result, record[result], place, [...line, channel], sum),
  );
  const perPair = result === "dv" ? record.width + width : record.width + record.valueWidth + width;
  return writer.finish(units, (units * others * (ofQuery ? 1 : group) * perPair) / 20);
}

/** What the weights of a block are summed with: a channel of the lines of the other side. */
function factorsOf(
  writer: KernelWriter,
  record: AttentionBackwardKernel,
  place: Place,
  result: "dq" | "dk" | "dv",
  channel: string,
): (line: string) => string {
  switch (result) {
    case "dq":
      return walkAlong(writer, "k", record.k, place, ["key_head", undefined, channel]);
    case "dk":
      return walkAlong(writer, "q", record.q, place, ["head", undefined, channel]);
    case "dv":
      return walkAlong(writer, "cotangent", record.cotangent, place, ["head", undefined, channel]);
  }
}

/** Sets `weight` to the probability of `query` attending to `key`, or to the slope of its score; forbidden pairs keep zero. */
function writeWeight(
  writer: KernelWriter,
  record: AttentionBackwardKernel,
  place: Place,
  mean: Access,
  wanted: "probability" | "slope",
): void {
  const { q, k, v, mask, logSum, cotangent } = record;
  const scale = writer.float("scale", record.scale);
  if (mask) writer.open(`if (${element(writer, "mask", mask, place, "head", "query", "key")}) {`);
  const channels = (key: string, access: Access, head: string, line: string) =>
    walkAlong(writer, key, access, place, [head, line, undefined]);
  const query = channels("q", q, "head", "query");
  writeDot(writer, "score", writer.integer("width", record.width), query, channels("k", k, "key_head", "key"));
  const sum = element(writer, "logSum", logSum, place, "head", "query");
  writer.line(`weight = weft_exp(score * ${scale} - ${sum});`);
  if (wanted === "slope") {
    const ofQuery = channels("cotangent", cotangent, "head", "query");
    writeDot(
      writer,
      "slope",
      writer.integer("value_width", record.valueWidth),
      ofQuery,
      channels("v", v, "key_head", "key"),
    );
    const rowMean = element(writer, "mean", mean, place, "head", "query");
    writer.line(`weight = weight * (slope - ${rowMean}) * ${scale};`);
  }
  if (mask) writer.close();
}
