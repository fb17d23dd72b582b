/** Copies bytes of the GPU's memory to the host. */
import type { Connection } from "./connection.js";
import { type Segment, wholeWords } from "./segment.js";
import { bufferUsage, mapForReading } from "./usage.js";

/** Read at once at most. */
const piece = 1 << 26;

interface Stretch {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Copies stretches of a segment as they are after all that was enqueued so far. Their copies are enqueued before this returns, so that what
 * is enqueued later may change the segment.
 */
export async function readBack(
  connection: Connection,
  segment: Segment,
  stretches: readonly Stretch[],
): Promise<readonly Uint8Array[]> {
  const results = stretches.map(({ bytes }) => new Uint8Array(bytes));
  const copies: { readonly staging: GPUBuffer; readonly from: number; readonly result: Uint8Array }[] = [];
  const total = stretches.reduce((sum, { bytes }) => sum + wholeWords(bytes), 0);
  if (total === 0) return results;
  const stagings: GPUBuffer[] = [];
  const { accepted } = connection.checked("a read", () => {
    const { device, queue } = connection;
    const stagingOf = (size: number): GPUBuffer => {
      const staging = device.createBuffer({
        label: "staging",
        size,
        usage: bufferUsage.mapRead | bufferUsage.copyDestination,
      });
      stagings.push(staging);
      return staging;
    };
    // One buffer for all where they fit.
    const together = total <= piece ? stagingOf(total) : undefined;
    let used = 0;
    const encoder = device.createCommandEncoder();
    for (const [number, { offset, bytes }] of stretches.entries()) {
      let read = 0;
      for (const { buffer, offset: at, size } of segment.ranges(offset, bytes)) {
        const staging = together ?? stagingOf(wholeWords(size));
        const from = together ? used : 0;
        encoder.copyBufferToBuffer(buffer, at, staging, from, wholeWords(size));
        copies.push({ staging, from, result: results[number]!.subarray(read, read + size) });
        read += size;
        used += wholeWords(size);
      }
    }
    queue.submit([encoder.finish()]);
  });
  try {
    // Both, so that neither fails unheard.
    await Promise.all([accepted, ...stagings.map((staging) => connection.guarded(staging.mapAsync(mapForReading)))]);
    const mapped = new Map(stagings.map((staging) => [staging, staging.getMappedRange()]));
    for (const { staging, from, result } of copies) {
      result.set(new Uint8Array(mapped.get(staging)!, from, result.length));
    }
  } finally {
    for (const staging of stagings) staging.destroy();
  }
  return results;
}

/** A whole segment, a piece at a time: nothing may change it meanwhile. */
export async function readWhole(connection: Connection, segment: Segment): Promise<Uint8Array> {
  const whole = new Uint8Array(segment.bytes);
  for (let offset = 0; offset < whole.length; offset += piece) {
    const bytes = Math.min(piece, whole.length - offset);
    const [part] = await readBack(connection, segment, [{ offset, bytes }]);
    whole.set(part!, offset);
  }
  return whole;
}
