/** Finds the first launch that wrote a number that is not finite. */

import type { SegmentName } from "../../codegen/program.js";
import type { Connection } from "./connection.js";
import type { LaunchList } from "./launch-list.js";
import type { Kernel, Pipelines } from "./pipelines.js";
import type { Segment } from "./segment.js";
import { bufferUsage, mapForReading } from "./usage.js";

const name = "weft_first_non_finite";

/** Looks at `count` words of f32 and keeps the smallest `launch` that it saw one in that is infinite or not a number. */
const source = `struct Arguments { launch: u32, count: u32 }
@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> first: atomic<u32>;

@compute @workgroup_size(64)
fn ${name}(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var place = thread.x; place < arguments.count; place += groups.x * 64u) {
    if ((words[place] & 0x7f800000u) == 0x7f800000u) { atomicMin(&first, arguments.launch); }
  }
}
`;

const none = 0xffffffff;

/**
 * Runs launches one after the other and looks at what each wrote. Resolves with the number of the first that wrote something that is not
 * finite in f32; undefined when none did.
 */
export async function firstNonFinite(
  connection: Connection,
  pipelines: Pipelines,
  list: LaunchList,
  segments: ReadonlyMap<SegmentName, Segment>,
): Promise<number | undefined> {
  const use = { argumentBytes: 8, writable: [true, true] };
  const { kernels } = await pipelines.compile([{ name, source }], ["search for what is not finite"], [use]);
  const kernel = kernels[0]!;
  const made: GPUBuffer[] = [];
  const { device, queue } = connection;
  try {
    const { result: staging, accepted } = connection.checked("the search for what is not finite", () => {
      const first = device.createBuffer({
        size: 4,
        usage: bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination,
      });
      const staging = device.createBuffer({ size: 4, usage: bufferUsage.mapRead | bufferUsage.copyDestination });
      made.push(first, staging);
      queue.writeBuffer(first, 0, Uint32Array.of(none));
      const checks = groupsOf(connection, kernel, list, segments, first, made);
      let start = 0;
      for (const end of list.pieces.ends) {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (let number = start; number < end; number++) {
          list.encode(pass, number, number + 1);
          pass.setPipeline(kernel.pipeline);
          for (const { group, workgroups } of checks[number]!) {
            pass.setBindGroup(0, group);
            pass.dispatchWorkgroups(workgroups);
          }
        }
        pass.end();
        encoder.copyBufferToBuffer(first, 0, staging, 0, 4);
        queue.submit([encoder.finish()]);
        start = end;
      }
      return staging;
    });
    await Promise.all([accepted, connection.guarded(staging.mapAsync(mapForReading))]);
    const found = new Uint32Array(staging.getMappedRange())[0]!;
    return found === none ? undefined : found;
  } finally {
    for (const buffer of made) buffer.destroy();
  }
}

interface Check {
  readonly group: GPUBindGroup;
  readonly workgroups: number;
}

/** For every launch, a look at each f32 that it writes. */
function groupsOf(
  { device, queue }: Connection,
  { layout }: Kernel,
  list: LaunchList,
  segments: ReadonlyMap<SegmentName, Segment>,
  first: GPUBuffer,
  made: GPUBuffer[],
): readonly (readonly Check[])[] {
  const written = list.launches.map(({ bindings }) =>
    bindings.filter(({ access, dtype, bytes }) => access !== "read" && dtype === "f32" && bytes > 0),
  );
  const data = new Uint32Array(64 * Math.max(1, written.flat().length));
  const uniform = device.createBuffer({
    size: data.byteLength,
    usage: bufferUsage.uniform | bufferUsage.copyDestination,
  });
  made.push(uniform);
  let number = 0;
  const groups = written.map((bindings, launch) =>
    bindings.map(({ segment, offset, bytes }): Check => {
      const place = 64 * number++;
      const count = bytes / 4;
      data.set([launch, count], place);
      const entries: GPUBindGroupEntry[] = [
        { binding: 0, resource: { buffer: uniform, offset: 4 * place, size: 8 } },
        { binding: 1, resource: segments.get(segment)!.ranges(offset, bytes)[0]! },
        { binding: 2, resource: { buffer: first } },
      ];
      return { group: device.createBindGroup({ layout, entries }), workgroups: Math.min(Math.ceil(count / 64), 4096) };
    }),
  );
  queue.writeBuffer(uniform, 0, data);
  return groups;
}
