/**
 * Attention: a workgroup for every query of every head. It meets the keys in blocks of as many as it has threads, each thread scoring one;
 * then the threads share out the channels of the values (online softmax: Milakov and Gimelshein 2018, section 3).
 */
import { elementCount } from "../../src/graph/shape.js";
import type { AttentionKernel, Buffer } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import {
  element,
  storeElement,
  walkAlong,
  writeChannels,
  writeDot,
  writePlace,
  writeSums,
  writeWeighted,
} from "./attention-head.js";
import { KernelWriter, workgroupSize } from "./writer.js";

/** Below every score: the maximum of no keys. */
const lowest = "-3.0e38f";

/** The largest of a block's scores is found in two steps: of each part by a thread of its own, then of the parts. */
const parts = 8;
const partLength = workgroupSize / parts;

/** Emits the kernels of an attention: one, or none when there are no queries. */
export function emitAttention(record: AttentionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { batch, heads, group, queries, keys, width, valueWidth, q, k, v, mask, output, logSum } = record;
  const units = elementCount(batch) * heads * queries;
  if (units === 0) return [];
  const writer = new KernelWriter(buffers, [output.buffer, logSum.buffer]);
  writer.declare(`var<workgroup> scores: array<f32, ${workgroupSize}>;`);
  writer.declare(`var<workgroup> largest_of_part: array<f32, ${parts}>;`);
  writer.declare(`var<workgroup> weights: array<f32, ${workgroupSize}>;`);
  const keyCount = writer.integer("keys", keys);
  const place = writePlace(writer, record, ["head", heads], ["query", queries]);
  writer.line(`let key_head = head / ${writer.integer("group", group)};`);
  writeSums(writer, valueWidth);
  writer.line("var total = 0.0f;", `var largest = ${lowest};`);
  const query = walkAlong(writer, "q", q, place, ["head", "query", undefined]);

  writer.open(`for (var first = 0; first < ${keyCount}; first += ${workgroupSize}) {`);
  writer.line("let key = first + lane;", `var score = ${lowest};`, "var allowed = false;");
  writer.open(`if (key < ${keyCount}) {`);
  writer.line(`allowed = ${mask ? element(writer, "mask", mask, place, "head", "query", "key") : "true"};`);
  writer.open("if (allowed) {");
  writeDot(
    writer,
    "product",
    writer.integer("width", width),
    query,
    walkAlong(writer, "k", k, place, ["key_head", "key", undefined]),
  );
  writer.line(`score = product * ${writer.float("scale", record.scale)};`);
  writer.close();
  writer.close();

  writer.line("scores[lane] = score;", "workgroupBarrier();");
  writer.open(`if (lane < ${parts}) {`);
  writer.line(
    `var most = scores[lane * ${partLength}];`,
    `for (var j = 1; j < ${partLength}; j++) { most = max(most, scores[lane * ${partLength} + j]); }`,
    "largest_of_part[lane] = most;",
  );
  writer.close();
  writer.line(
    "workgroupBarrier();",
    "var next = largest;",
    `for (var j = 0; j < ${parts}; j++) { next = max(next, largest_of_part[j]); }`,
    // What was summed before is relative to the largest score so far; while there is none it is zero.
    "let kept = weft_exp(largest - next);",
    "let weight = select(0.0f, weft_exp(score - next), allowed);",
    "total = total * kept + weight;",
    "weights[lane] = weight;",
    "workgroupBarrier();",
    `let count = min(${workgroupSize}, ${keyCount} - first);`,
  );
  writeChannels(writer, valueWidth, "value_width", (channel, sum) => {
    writer.line(`var sum = ${sum} * kept;`);
    writeWeighted(writer, walkAlong(writer, "v", v, place, ["key_head", undefined, channel]));
    writer.line(`${sum} = sum;`);
  });
  // What a thread still reads of this block, others write only behind barriers.
  writer.line("largest = next;");
  writer.close();

  writer.line(
    "scores[lane] = total;",
    "workgroupBarrier();",
    "var whole = 0.0f;",
    `for (var j = 0; j < ${workgroupSize}; j++) { whole = whole + scores[j]; }`,
    // A query that may attend nowhere gives zeros, and 0 for the logarithm.
    "let nowhere = whole == 0.0f;",
    "let divisor = select(whole, 1.0f, nowhere);",
  );
  writeChannels(writer, valueWidth, "value_width", (channel, sum) =>
    storeElement(writer, "output", output, place, ["head", "query", channel], `${sum} / divisor`),
  );
  writer.open("if (lane == 0) {");
  const logarithm = "select(largest + weft_log(divisor), 0.0f, nowhere)";
  storeElement(writer, "logSum", logSum, place, ["head", "query"], logarithm);
  writer.close();
  return [writer.finish(units, (units * keys * (width + valueWidth)) / 20)];
}
