/// <reference types="@webgpu/types" preserve="true" />
/** How long each launch takes. */
import type { Connection } from "./connection.js";
import type { LaunchList } from "./launch-list.js";
import { bufferUsage, mapForReading } from "./usage.js";

/** Launches timed together: a set of timestamps has room for 4096. */
const together = 2048;

/** Runs the launches and resolves with the time of each, in nanoseconds. */
export async function launchTimes(connection: Connection, list: LaunchList): Promise<readonly number[]> {
  const times: number[] = [];
  const step = connection.device.features.has("timestamp-query") ? together : 1;
  const measure = step > 1 ? stampedTimes : waitedTimes;
  for (let start = 0; start < list.length; start += step) {
    times.push(...(await measure(connection, list, start, Math.min(list.length, start + step))));
  }
  return times;
}

/** By the GPU's clock: a pass for each. */
async function stampedTimes(
  connection: Connection,
  list: LaunchList,
  start: number,
  end: number,
): Promise<readonly number[]> {
  const { device, queue } = connection;
  const count = 2 * (end - start);
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const resolved = device.createBuffer({ size: 8 * count, usage: bufferUsage.queryResolve | bufferUsage.copySource });
  const staging = device.createBuffer({ size: 8 * count, usage: bufferUsage.mapRead | bufferUsage.copyDestination });
  try {
    const { accepted } = connection.checked("the timing of launches", () => {
      const encoder = device.createCommandEncoder();
      for (let number = start; number < end; number++) {
        const beginningOfPassWriteIndex = 2 * (number - start);
        const endOfPassWriteIndex = beginningOfPassWriteIndex + 1;
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex },
        });
        list.encode(pass, number, number + 1);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
      queue.submit([encoder.finish()]);
    });
    await Promise.all([accepted, connection.guarded(staging.mapAsync(mapForReading))]);
    const stamps = new BigUint64Array(staging.getMappedRange());
    // Clocks may be set back between two passes.
    return Array.from({ length: end - start }, (_, number) =>
      Math.max(0, Number(stamps[2 * number + 1]! - stamps[2 * number]!)),
    );
  } finally {
    for (const one of [querySet, resolved, staging]) one.destroy();
  }
}

/** By the host's clock, with the time that it takes to hear of the end. */
async function waitedTimes(
  connection: Connection,
  list: LaunchList,
  start: number,
  end: number,
): Promise<readonly number[]> {
  const { device, queue } = connection;
  await connection.idle();
  const before = performance.now();
  const { accepted } = connection.checked("the timing of launches", () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    list.encode(pass, start, end);
    pass.end();
    queue.submit([encoder.finish()]);
  });
  await connection.idle();
  const nanoseconds = 1e6 * (performance.now() - before);
  await accepted;
  return [nanoseconds];
}
