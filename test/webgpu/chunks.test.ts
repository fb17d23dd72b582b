import assert from "node:assert/strict";
import type { Program } from "../../codegen/program.js";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import { bytesPerBinding } from "../../runtime/webgpu/adapter.js";
import { requireBindable } from "../../runtime/webgpu/chunks.js";
import type { WebGpuDevice } from "../../runtime/webgpu/device.js";
import { webgpuTarget } from "../../runtime/webgpu/target.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import { layout, programsOf } from "../devices/programs.js";
import { openPoisoned } from "./open-device.js";
import { describeWebGpu } from "./software.js";

const programs = programsOf(wgslProgram);
const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** A program with the bindings of one segment, which then has so many bytes, further back. */
function moved(program: Program, name: "parameters" | "optimizer" | "outputs", by: number, bytes: number): Program {
  return {
    ...program,
    segments: { ...program.segments, [name]: bytes },
    outputs:
      name === "outputs" ? program.outputs.map((place) => ({ ...place, offset: place.offset + by })) : program.outputs,
    step: program.step.map((launch) => ({
      ...launch,
      bindings: launch.bindings.map((one) => (one.segment === name ? { ...one, offset: one.offset + by } : one)),
    })),
  };
}

describeWebGpu("segments that are larger than what WebGPU binds at once", () => {
  let device: WebGpuDevice;
  before(async () => {
    device = await openPoisoned({ bytesPerBinding: 256 });
  });
  after(() => device?.close());

  it("hold inputs and outputs in several buffers", async () => {
    const executable = await device.load(moved(programs.sum(), "outputs", 512, 768));
    const first = executable.submit({ x: floats(1, 2, 3, 4), z: floats(10, 20, 30, 40) });
    const second = executable.submit({ x: first.output("y") });
    const third = executable.submit({ z: floats(0, 0, 0, 0) });
    assert.deepEqual((await first.read(["y"])).y, floats(11, 22, 33, 44));
    assert.deepEqual((await second.read(["y"])).y, floats(21, 42, 63, 84));
    assert.deepEqual((await third.read(["y"])).y, floats(11, 22, 33, 44));
    executable.free();
  });

  it("hold parameters and whole states of the optimiser in several buffers", async () => {
    const set = await device.parameters(layout);
    // The second parameter, and in the second of two states.
    const trainer = await device.load(
      moved(moved(programs.accumulate(), "parameters", 256, 512), "optimizer", 512 + 256, 1024),
    );
    const early = await device.load(programs.accumulate());
    trainer.bind(set);
    early.bind(set);
    await set.write("b", floats(1, 1, 1, 1));
    await early.submit({ x: floats(1, 1, 1, 1) }).done;
    await trainer.submit({ x: floats(1, 2, 3, 4) }).done;
    await trainer.submit({}).done;
    assert.deepEqual(await set.read("a"), floats(1, 1, 1, 1));
    assert.deepEqual(await set.read("b"), floats(3, 5, 7, 9));
    const bytes = await set.readSegment("optimizer");
    const states = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    assert.equal(states.length, 2 * 128);
    assert.deepEqual(states.subarray(0, 5), floats(1, 1, 1, 1, 0));
    assert.deepEqual(states.subarray(192, 197), floats(2, 4, 6, 8, 0));
    const other = await device.parameters(layout);
    await other.writeSegment("optimizer", bytes);
    await other.writeSegment("parameters", await set.readSegment("parameters"));
    assert.deepEqual(await other.read("b"), floats(3, 5, 7, 9));
    assert.deepEqual(await other.readSegment("optimizer"), bytes);
    trainer.free();
    early.free();
    set.free();
    other.free();
  });

  it("are left as they were by a search for what is not finite", async () => {
    const set = await device.parameters(layout);
    await set.write("b", floats(1, 2, 3, 4));
    const executable = await device.load(moved(programs.quotient(), "parameters", 256, 512));
    executable.bind(set);
    const given = { x: floats(1, 1, 1, 1), z: floats(1, 1, 0, 1) };
    assert.equal(await executable.firstNonFinite(given), "quotient of model (a.weft:3-9)");
    assert.deepEqual(await set.read("b"), floats(1, 2, 3, 4));
    executable.free();
    set.free();
  });

  it("are refused with the kernel's name where a binding would lie in two buffers", async () => {
    const program = programs.sum();
    const wide = {
      ...program,
      segments: { ...program.segments, inputs: 768 },
      step: program.step.map((launch) => ({
        ...launch,
        bindings: launch.bindings.map((one, place) => (place === 1 ? { ...one, offset: 128, bytes: 256 } : one)),
      })),
    };
    await assert.rejects(
      device.load(wide),
      /Kernel "add of model \(a\.weft:3-9\)" binds bytes 128 to 384 of segment inputs, which lie in more than one buffer/,
    );
    await assert.rejects(
      device.load(programs.long(65)),
      /"slow power of model.*" binds bytes 0 to 260 of segment inputs, and the GPU can bind 256 bytes at once/,
    );
    const large: ParameterLayout = { places: [{ path: "w", dtype: "f32", shape: [65], offset: 0 }], bytes: 512 };
    await assert.rejects(device.parameters(large), /"w" has 260 bytes, but at most 256 can be bound at once/);
  });
});

describe("a program for what every WebGPU adapter grants", () => {
  const least = webgpuTarget.limits.bytesPerBinding;

  it("can be bound on adapters that grant more, wherever its tensors stand", () => {
    const program = programs.sum();
    const tensors = Array.from({ length: 40 }, (_, number) => number * least);
    const large: Program = {
      ...program,
      segments: { ...program.segments, scratch: 40 * least },
      step: tensors.map((offset) => ({
        ...program.step[0]!,
        bindings: [{ segment: "scratch", offset, bytes: least, dtype: "f32", access: "write" }],
      })),
    };
    // Round numbers, and what drivers say: a little less, or all that 32 bits hold.
    for (const granted of [least, 2 ** 28, 2 ** 30 - 4, 2 ** 30, 2 ** 31 - 4, 2 ** 31 - 1, 2 ** 32 - 4, 2 ** 40]) {
      requireBindable(large, bytesPerBinding({ maxStorageBufferBindingSize: granted, maxBufferSize: 2 ** 40 }));
    }
  });
});
