/** How long each launch takes. */
import type { Connection } from "./connection.js";
import type { LaunchList } from "./launch-list.js";
import { bufferUsage, mapForReading } from "./usage.js";

/** Launches timed together: a set of timestamps has room for 4096. */
const together = 2048;

/** Runs the launches and resolves with the time of each, in nanoseconds. */
export async function launchTimes(connection: Connection, list: LaunchList): Promise<readonly number[]> {
  const stamps = connection.device.features.has("timestamp-query");
  const times: number[] = [];
  for (const piece of list.pieces.ends) {
    while (times.length < piece) {
      const start = times.length;
      const end = Math.min(piece, start + (stamps ? together : 1));
      const more = stamps
        ? await stampedTimes(connection, list, start, end)
        : [await waitedTime(connection, list, start)];
      times.push(...more);
    }
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

/** One launch by the host's clock, with the time that it takes to hear of the end. */
async function waitedTime(connection: Connection, list: LaunchList, number: number): Promise<number> {
  const { device, queue } = connection;
  await connection.idle();
  const before = performance.now();
  const { accepted } = connection.checked("the timing of launches", () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    list.encode(pass, number, number + 1);
    pass.end();
    queue.submit([encoder.finish()]);
  });
  await connection.idle();
  const nanoseconds = 1e6 * (performance.now() - before);
  await accepted;
  return nanoseconds;
}
