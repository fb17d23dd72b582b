import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Program } from "../../codegen/program.js";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import { keepsTheContract } from "../devices/contract.js";
import { layout, programsOf } from "../devices/programs.js";
import { openNull, openPoisoned, openWatched } from "./open-device.js";
import { describeWebGpu, onHardware } from "./software.js";

const programs = programsOf(wgslProgram);
const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** A program whose only kernel has another text. */
function withSource(program: Program, change: (source: string) => string): Program {
  return { ...program, kernels: program.kernels.map((kernel) => ({ ...kernel, source: change(kernel.source) })) };
}

describeWebGpu("the WebGPU device", function () {
  this.timeout(60_000);

  it("says what it runs on", async () => {
    const device = await openPoisoned();
    assert.match(device.name, onHardware ? /^webgpu \(.+\)$/ : /^webgpu \(swiftshader.*, software\)$/);
    assert.equal(device.kind, "webgpu");
    assert.equal(device.adapter.software, !onHardware);
    await device.close();
  });

  keepsTheContract({ open: openPoisoned, programs, large: onHardware ? 1 << 22 : 1 << 16 });

  it("shows the compiler's message for a kernel that it refuses, and names what the kernel computes", async () => {
    const device = await openPoisoned();
    const unknown = withSource(programs.sum(), (source) => source.replace("i32(thread)", "i32(thraed)"));
    await assert.rejects(device.load(unknown), /kernel "add of model \(a\.weft:3-9\)".*'thraed'/s);
    const large = withSource(programs.sum(), (source) =>
      source.replace("@workgroup_size(64)", "@workgroup_size(65536)"),
    );
    await assert.rejects(device.load(large), /kernel "add of model.*65536/s);
    const good = await device.load(programs.sum());
    const { y } = await good.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) }).read(["y"]);
    assert.deepEqual(y, floats(2, 3, 4, 5));
    await device.close();
  });

  it("rejects submissions that WebGPU refuses, and those that take their outputs", async () => {
    const { device, own } = await openWatched();
    const refused = await device.load(programs.sum());
    const { createBindGroup } = own;
    own.createBindGroup = (given) => {
      own.createBindGroup = createBindGroup;
      return createBindGroup.call(own, { ...given, entries: [] });
    };
    const user = await device.load(programs.scale());
    const set = await device.parameters(layout);
    user.bind(set);
    const submission = refused.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) });
    const dependent = user.submit({ x: submission.output("y") });
    await assert.rejects(submission.done, /GPU refused the bindings of a program/);
    await assert.rejects(submission.read(["y"]), /GPU refused/);
    await assert.rejects(dependent.read(["y"]), /GPU refused/);
    const good = user.submit({ x: floats(1, 2, 3, 4) });
    assert.deepEqual((await good.read(["y"])).y, floats(0, 0, 0, 0));
    await device.close();
  });

  it("closes although there is no memory for outputs that someone still holds, and saves the others", async () => {
    const { device, own } = await openWatched();
    const [one, other] = [await device.load(programs.sum()), await device.load(programs.sum())];
    const given = { x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) };
    const lost = one.submit(given);
    await lost.done;
    const { createBuffer } = own;
    own.createBuffer = (descriptor) => {
      own.createBuffer = createBuffer;
      return createBuffer.call(own, { ...descriptor, size: 2 ** 46 });
    };
    await assert.rejects(one.submit({}).done, /GPU refused a run of the program/);
    const saved = other.submit(given);
    await device.close();
    await assert.rejects(lost.read(["y"]), /GPU refused a run of the program/);
    assert.deepEqual((await saved.read(["y"])).y, floats(2, 3, 4, 5));
  });

  it("goes on where outputs cannot be kept when their executable is freed", async () => {
    const { device, own } = await openWatched();
    const [one, other] = [await device.load(programs.sum()), await device.load(programs.sum())];
    const given = { x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) };
    const lost = one.submit(given);
    await lost.done;
    const { createBuffer } = own;
    own.createBuffer = () => {
      own.createBuffer = createBuffer;
      throw new RangeError("no room");
    };
    one.free();
    assert.deepEqual((await other.submit(given).read(["y"])).y, floats(2, 3, 4, 5));
    await assert.rejects(lost.read(["y"]), /GPU refused a read/);
    await device.close();
  });

  it("makes bindings anew after it failed to make some", async () => {
    const { device, own } = await openWatched();
    const executable = await device.load(programs.sum());
    const { createBindGroup } = own;
    own.createBindGroup = () => {
      own.createBindGroup = createBindGroup;
      throw new Error("no room");
    };
    const given = { x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) };
    await assert.rejects(executable.submit(given).done, /no room/);
    assert.deepEqual((await executable.submit(given).read(["y"])).y, floats(2, 3, 4, 5));
    await device.close();
  });

  it("refuses kernels that do more than their program says", async () => {
    const device = await openPoisoned();
    const [program, twice] = [programs.sum(), programs.long(4)];
    const writing = withSource(program, (source) =>
      source.replaceAll("<storage, read>", "<storage, read_write>").replace("b2[", "b0[0] = 1.0f;\n  b2["),
    );
    await assert.rejects(device.load(writing), /GPU refused kernel "add of model/);
    const unbound = withSource(program, (source) => source.replace("@binding(1)", "@binding(7)"));
    await assert.rejects(device.load(unbound), /GPU refused kernel "add of model/);
    const long = withSource(program, (source) => source.replace("units: i32", "units: i32, more: array<vec4<i32>, 9>"));
    await assert.rejects(device.load(long), /GPU refused kernel "add of model/);
    const [first, second] = twice.step;
    const differing = {
      ...twice,
      step: [first!, { ...second!, kernel: first!.kernel, bindings: first!.bindings.slice(1) }],
    };
    await assert.rejects(device.load(differing), /"double of model.*" is launched with other bindings or arguments/);
    await device.close();
  });

  it("refuses arguments of more than 32 bits", async () => {
    const device = await openPoisoned();
    const program = programs.sum();
    const wide = {
      ...program,
      step: program.step.map((launch) => ({ ...launch, integers: launch.integers.map(() => 2 ** 31) })),
    };
    await assert.rejects(device.load(wide), /"add of model.*" has the argument 2147483648/);
    await device.close();
  });

  it("takes nothing for given that a refused submission should have written", async () => {
    const { device, own } = await openWatched();
    const { createCommandEncoder } = own;
    const refuseNext = () => {
      own.createCommandEncoder = () => {
        own.createCommandEncoder = createCommandEncoder;
        const encoder = createCommandEncoder.call(own);
        encoder.pushDebugGroup("never closed");
        return encoder;
      };
    };
    const [maker, user, prepared, scalars] = await Promise.all(
      [programs.sum(), programs.sum(), programs.prepared(), programs.scalars()].map((program) => device.load(program)),
    );
    const set = await device.parameters(layout);
    await set.write("a", floats(1, 2, 3, 4));
    prepared!.bind(set);
    const x = floats(1, 1, 1, 1);
    const made = maker!.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) });
    await made.done;
    const submits = [
      () => user!.submit({ x: made.output("y"), z: x }),
      () => prepared!.submit({ x }),
      () => scalars!.submit({}, { seed: 5 }),
    ];
    const next = [() => user!.submit({}), () => prepared!.submit({}), () => scalars!.submit({})];
    for (const [place, submit] of submits.entries()) {
      refuseNext();
      const [refused, follower] = [submit(), next[place]!()];
      await assert.rejects(refused.done, /GPU refused a run of the program/);
      await assert.rejects(follower.done, /GPU refused a run of the program/, `after refused submission ${place}`);
    }
    await assert.rejects(user!.submit({ z: x }).done, /Input "x" failed in an earlier submission/);
    assert.deepEqual((await user!.submit({ x: made.output("y") }).read(["y"])).y, floats(3, 4, 5, 6));
    assert.deepEqual((await prepared!.submit({ x }).read(["y"])).y, floats(2, 4, 6, 8));
    assert.deepEqual((await scalars!.submit({}).read(["seed"])).seed, Uint32Array.of(5));
    await device.close();
  });

  it("rejects a submission that keeps an input which another, that failed, had made", async () => {
    const { device, own } = await openWatched();
    const { createCommandEncoder } = own;
    const [maker, user] = [await device.load(programs.sum()), await device.load(programs.sum())];
    const x = floats(1, 2, 3, 4);
    own.createCommandEncoder = () => {
      own.createCommandEncoder = createCommandEncoder;
      const encoder = createCommandEncoder.call(own);
      encoder.pushDebugGroup("never closed");
      return encoder;
    };
    const made = maker.submit({ x, z: x });
    const taken = user.submit({ x: made.output("y"), z: x });
    const kept = user.submit({});
    for (const { done } of [made, taken, kept])
      await assert.rejects(done, /GPU refused a run|in an earlier submission/);
    await device.close();
  });

  it("says when memory is short, and what it was for", async () => {
    // Dawn without a GPU has 512 MiB.
    const device = await openNull();
    const [tensor, count] = [64 << 20, 12];
    const large: ParameterLayout = {
      places: Array.from({ length: count }, (_, place) => ({
        path: `p${String(place).padStart(2, "0")}`,
        dtype: "f32",
        shape: [tensor / 4],
        offset: place * tensor,
      })),
      bytes: count * tensor,
    };
    await assert.rejects(device.parameters(large), /Out of memory for 805306368 bytes of segment parameters/);
    const small = await device.parameters(layout);
    await small.write("a", floats(1, 2, 3, 4));
    await device.close();
  });

  it("rejects everything once the device is lost, also what it was at", async () => {
    const { device, own } = await openWatched();
    const executable = await device.load(programs.scale());
    const set = await device.parameters(layout);
    executable.bind(set);
    await executable.submit({ x: floats(1, 2, 3, 4) }).done;
    const before = executable.submit({});
    const reading = set.read("a");
    own.destroy();
    const after = executable.submit({});
    const lost = /The device was lost: /;
    await assert.rejects(before.read(["y"]), lost);
    await assert.rejects(reading, lost);
    await assert.rejects(after.done, lost);
    await assert.rejects(executable.submit({}).done, lost);
    await assert.rejects(executable.firstNonFinite({}), lost);
    await assert.rejects(executable.profile(), lost);
    await assert.rejects(set.write("a", floats(1, 2, 3, 4)), lost);
    await assert.rejects(set.readSegment("parameters"), lost);
    await assert.rejects(device.load(programs.sum()), lost);
    await assert.rejects(device.parameters(layout), lost);
    executable.free();
    set.free();
    await device.close();
  });

  it("takes no parameters of another device", async () => {
    const [one, other] = [await openPoisoned(), await openPoisoned()];
    const executable = await one.load(programs.scale());
    const set = await other.parameters(layout);
    assert.throws(() => executable.bind(set), /parameters belong to another device/);
    const foreign = (await other.load(programs.sum())).submit({ x: floats(1, 1, 1, 1), z: floats(1, 1, 1, 1) });
    await assert.rejects(executable.submit({ x: foreign.output("y") }).done, /tensor of another device/);
    await foreign.done;
    await one.close();
    await other.close();
  });

  it("moves scratch when a larger program is loaded, without disturbing the others", async () => {
    const device = await openPoisoned();
    const set = await device.parameters(layout);
    const executable = await device.load(programs.quotient());
    executable.bind(set);
    const x = floats(1, 2, 3, 4);
    await executable.submit({ x, z: floats(1, 1, 1, 1) }).done;
    const program = programs.sum();
    await device.load({ ...program, segments: { ...program.segments, scratch: 1 << 16 } });
    await executable.submit({ x }).done;
    assert.deepEqual(await set.read("a"), floats(2, 4, 6, 8));
    await device.close();
  });

  it("has two submissions in flight at most", async () => {
    const { device, own } = await openWatched();
    const executable = await device.load(programs.sum());
    const finish: (() => void)[] = [];
    const { queue } = own;
    const workDone = queue.onSubmittedWorkDone;
    queue.onSubmittedWorkDone = async () => {
      const told = workDone.call(queue);
      await new Promise<void>((resolve) => finish.push(resolve));
      return told;
    };
    const given = { x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) };
    const submissions = [1, 2, 3, 4].map(() => executable.submit(given));
    const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
    await settled();
    assert.equal(finish.length, 2);
    finish[0]!();
    await submissions[0]!.done;
    await settled();
    assert.equal(finish.length, 3);
    queue.onSubmittedWorkDone = workDone;
    for (const end of finish) end();
    await Promise.all(submissions.map(({ done }) => done));
    await device.close();
  });

  it("cuts long steps into several submissions", async () => {
    const device = await openPoisoned();
    const slow = (program: Program): Program => ({
      ...program,
      step: program.step.map((launch) => ({ ...launch, cost: 1e13 })),
    });
    const executable = await device.load(slow(programs.quotient()));
    const set = await device.parameters(layout);
    executable.bind(set);
    const good = { x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) };
    assert.equal(await executable.firstNonFinite({ ...good, z: floats(1, 1, 1, 0) }), "quotient of model (a.weft:3-9)");
    assert.equal((await executable.profile()).length, 2);
    await executable.submit(good).done;
    assert.deepEqual(await set.read("a"), floats(1, 2, 3, 4));
    await device.close();
  });

  it("times launches by the host's clock where the GPU has none to read", async () => {
    const { device } = await openWatched(["timestamp-query"]);
    const executable = await device.load(programs.long(64));
    await executable.submit({ x: new Float32Array(64) }).done;
    const profile = await executable.profile();
    assert.equal(profile.length, 2);
    assert.ok(profile.every(({ nanoseconds }) => nanoseconds > 0));
    await device.close();
  });

  it("says what a program takes before it is allocated", async () => {
    const lines: string[] = [];
    const device = await openPoisoned({ log: (line) => lines.push(line) });
    await device.load(programs.quotient());
    await device.load(programs.quotient());
    assert.deepEqual(lines, [
      "parameters   512 bytes",
      "inputs       272 bytes",
      "scratch      256 bytes",
      "kernels      2 (2 compiled, 0 known before)",
      "parameters   512 bytes",
      "inputs       272 bytes",
      "scratch      256 bytes",
      "kernels      2 (0 compiled, 2 known before)",
    ]);
    await device.close();
  });

  it("lets the process end after it was closed", async () => {
    const root = fileURLToPath(new URL("../../", import.meta.url));
    // The tests may have been compiled, for a machine that has Node alone.
    const compiled = import.meta.url.endsWith(".js");
    const script = `
      import { openPoisoned } from "./test/webgpu/open-device.${compiled ? "js" : "ts"}";
      const device = await openPoisoned();
      const set = await device.parameters({ places: [{ path: "a", dtype: "f32", shape: [4], offset: 0 }], bytes: 256 });
      console.log([...(await set.read("a"))].join(" "));
      await device.close();
    `;
    const args = [...(compiled ? [] : ["--import", "tsx"]), "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 30_000 });
    assert.equal(stdout.trim(), "0 0 0 0");
  });
});
