/** What every device promises, as tests that all of them run. */
import assert from "node:assert/strict";
import type { Program } from "../../codegen/program.js";
import { trusted } from "../../codegen/trust.js";
import type { Device } from "../../runtime/device.js";
import { layout, type Programs } from "./programs.js";

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** A device of some kind, and what runs on it. */
export interface Subject {
  /** Opens a device whose outputs and scratch are NaN before every run. */
  readonly open: () => Promise<Device>;
  readonly programs: Programs;
  /** So many numbers that a run over them takes a while. */
  readonly large: number;
}

/** Tests of the contract, inside a suite. `opened` gives the suite's open device. */
export function keepsTheContract({ open, programs, large }: Subject): void {
  let device: Device;
  before(async () => {
    device = await open();
  });
  after(() => device?.close());

  it("keeps inputs that are left out", async () => {
    const executable = await device.load(programs.sum());
    const first = executable.submit({ x: floats(1, 2, 3, 4), z: floats(10, 20, 30, 40) });
    const second = executable.submit({ x: floats(5, 6, 7, 8) });
    const third = executable.submit({});
    assert.deepEqual((await first.read(["y"])).y, floats(11, 22, 33, 44));
    assert.deepEqual((await second.read(["y"])).y, floats(15, 26, 37, 48));
    assert.deepEqual((await third.read(["y"])).y, floats(15, 26, 37, 48));
    executable.free();
  });

  it("takes and gives tensors narrower than a word, and tensors without elements", async () => {
    const narrow = await device.load(programs.narrow());
    const given = { x: floats(1, -2, 0.5), y: floats(1, 2, 3, 4, -5), z: Uint8Array.of(1, 0, 1, 1, 0, 0, 1) };
    const { h, b, t } = await narrow.submit(given).read(["h", "b", "t"]);
    assert.deepEqual([h, b, t], [given.x, given.y, given.z]);
    const swapped = narrow.submit({ z: Uint8Array.of(0, 0, 0, 0, 0, 0, 0) });
    const again = narrow.submit({ x: swapped.output("h"), z: swapped.output("t") });
    assert.deepEqual((await again.read(["t"])).t, new Uint8Array(7));
    const empty = await device.load(programs.empty());
    const { y } = await empty.submit({ x: floats(), z: floats(1, 2, 3, 4) }).read(["y"]);
    assert.deepEqual(y, floats(1, 2, 3, 4));
    narrow.free();
    empty.free();
  });

  it("tells kernels the scalars of each submission, the last ones where they are left out", async () => {
    const executable = await device.load(programs.scalars());
    const names = ["seed", "step", "row_offset", "learning_rate"] as const;
    const values = async (scalars: Parameters<typeof executable.submit>[1]) => {
      const read = await executable.submit({}, scalars).read(names);
      return names.map((name) => read[name][0]);
    };
    assert.deepEqual(await values({}), [0, 0, 0, 0]);
    assert.deepEqual(await values({ seed: 2 ** 32 - 1, row_offset: -3, learning_rate: 0.25 }), [
      2 ** 32 - 1,
      0,
      -3,
      0.25,
    ]);
    assert.deepEqual(await values({ step: 7 }), [2 ** 32 - 1, 7, -3, 0.25]);
    executable.free();
  });

  it("copies inputs at once, so that the caller may use the array again", async () => {
    const executable = await device.load(programs.sum());
    const x = floats(1, 2, 3, 4);
    const submission = executable.submit({ x, z: floats(0, 0, 0, 0) });
    x.fill(99);
    assert.deepEqual((await submission.read(["y"])).y, floats(1, 2, 3, 4));
    executable.free();
  });

  it("returns from submit before the run is over, and runs in order", async () => {
    const count = large;
    const executable = await device.load(programs.long(count));
    const order: number[] = [];
    const submissions = [0.5, 1, 2, 3].map((value) => executable.submit({ x: new Float32Array(count).fill(value) }));
    const ended = submissions.map((submission, place) => submission.done.then(() => order.push(place)));
    assert.deepEqual(order, []);
    await Promise.all(ended);
    assert.deepEqual(order, [0, 1, 2, 3]);
    executable.free();
  });

  it("keeps the outputs of a submission that later ones have overwritten", async () => {
    const executable = await device.load(programs.sum());
    const z = floats(0, 0, 0, 0);
    const submissions = [1, 2, 3, 4, 5].map((value) => executable.submit({ x: floats(value, value, value, value), z }));
    for (const [place, submission] of submissions.entries()) {
      assert.equal((await submission.read(["y"])).y[0], place + 1);
    }
    executable.free();
    assert.equal((await submissions[4]!.read(["y"])).y[0], 5, "after the executable was freed");
  });

  it("takes outputs of other executables as inputs, without waiting", async () => {
    const adder = await device.load(programs.sum());
    const scaler = await device.load(programs.scale());
    const set = await device.parameters(layout);
    await set.write("a", floats(1, 2, 3, 4));
    scaler.bind(set);
    const first = adder.submit({ x: floats(1, 1, 1, 1), z: floats(1, 2, 3, 4) });
    const second = scaler.submit({ x: first.output("y") });
    adder.submit({ x: floats(0, 0, 0, 0) });
    const third = scaler.submit({});
    assert.deepEqual((await second.read(["y"])).y, floats(2, 6, 12, 20));
    assert.deepEqual((await third.read(["y"])).y, floats(2, 6, 12, 20));
    const late = scaler.submit({ x: first.output("y") });
    assert.deepEqual((await late.read(["y"])).y, floats(2, 6, 12, 20));
    adder.free();
    scaler.free();
    set.free();
  });

  it("keeps an input that it was given beside one that was missing", async () => {
    const maker = await device.load(programs.sum());
    const taker = await device.load(programs.sum());
    const made = maker.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) });
    await assert.rejects(taker.submit({ x: made.output("y") }).done, /Input "z" was never given/);
    maker.submit({ x: floats(0, 0, 0, 0) });
    const complete = taker.submit({ z: floats(10, 10, 10, 10) });
    assert.deepEqual((await complete.read(["y"])).y, floats(12, 13, 14, 15));
    maker.free();
    taker.free();
  });

  it("shares parameters and optimiser state among executables", async () => {
    const set = await device.parameters(layout);
    await set.write("a", floats(1, 1, 1, 1));
    const trainer = await device.load(programs.accumulate());
    const user = await device.load(programs.scale());
    trainer.bind(set);
    user.bind(set);
    trainer.submit({ x: floats(1, 2, 3, 4) });
    trainer.submit({});
    const used = user.submit({ x: floats(1, 1, 1, 1) });
    assert.deepEqual((await used.read(["y"])).y, floats(3, 5, 7, 9));
    assert.deepEqual(await set.read("a"), floats(3, 5, 7, 9));
    const state = await set.readSegment("optimizer");
    assert.equal(state.length, layout.bytes);
    assert.deepEqual(new Float32Array(state.buffer, state.byteOffset, 4), floats(2, 4, 6, 8));
    trainer.free();
    user.free();
    set.free();
  });

  it("gives optimiser state back that was written before an executable needed it", async () => {
    const set = await device.parameters(layout);
    const state = new Uint8Array(layout.bytes);
    new Float32Array(state.buffer).fill(7);
    await set.writeSegment("optimizer", state);
    const trainer = await device.load(programs.accumulate());
    trainer.bind(set);
    await trainer.submit({ x: floats(1, 1, 1, 1) }).done;
    const after = await set.readSegment("optimizer");
    assert.deepEqual(new Float32Array(after.buffer, after.byteOffset, 5), floats(8, 8, 8, 8, 7));
    trainer.free();
    set.free();
  });

  it("prepares anew when the parameters changed, also by training", async () => {
    const set = await device.parameters(layout);
    await set.write("a", floats(1, 2, 3, 4));
    const user = await device.load(programs.prepared());
    const trainer = await device.load(programs.accumulate());
    user.bind(set);
    trainer.bind(set);
    const x = floats(1, 1, 1, 1);
    assert.deepEqual((await user.submit({ x }).read(["y"])).y, floats(2, 4, 6, 8));
    trainer.submit({ x });
    assert.deepEqual((await user.submit({ x }).read(["y"])).y, floats(4, 6, 8, 10));
    await set.write("a", floats(0, 0, 0, 1));
    assert.deepEqual((await user.submit({ x }).read(["y"])).y, floats(0, 0, 0, 2));
    user.free();
    trainer.free();
    set.free();
  });

  it("moves parameters and their segments as bytes", async () => {
    const set = await device.parameters(layout);
    assert.deepEqual(await set.read("b"), floats(0, 0, 0, 0));
    await set.write("b", floats(1, 2, 3, 4));
    const bytes = await set.readSegment("parameters");
    assert.equal(bytes.length, 512);
    const other = await device.parameters(layout);
    await other.writeSegment("parameters", bytes);
    assert.deepEqual(await other.read("b"), floats(1, 2, 3, 4));
    await assert.rejects(other.writeSegment("parameters", bytes.subarray(1)), /512 bytes, but 511/);
    await assert.rejects(other.write("b", floats(1)), /"b" is f32\[2, 2\], but was given 1 numbers/);
    await assert.rejects(other.read("c"), /no parameter "c"/);
    set.free();
    other.free();
    await assert.rejects(set.read("b"), /freed/);
  });

  it("rejects the submission that met an error, and goes on", async () => {
    const executable = await device.load(programs.sum());
    const never = executable.submit({ x: floats(1, 2, 3, 4) });
    await assert.rejects(never.done, /Input "z" was never given/);
    await assert.rejects(executable.submit({ w: floats(1) }).done, /no input "w"/);
    await assert.rejects(
      executable.submit({ x: floats(1) }).read(["y"]),
      /Input "x" is f32\[4\], but was given 1 numbers in a Float32Array/,
    );
    await assert.rejects(executable.submit({ x: Int32Array.of(1, 2, 3, 4) }).done, /Int32Array/);
    await assert.rejects(executable.submit({ x: never.output("y") }).done, /was never given/);
    assert.throws(() => never.output("v"), /no output "v"/);
    const good = executable.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) });
    assert.deepEqual((await good.read(["y"])).y, floats(2, 3, 4, 5));
    executable.free();
    await assert.rejects(executable.submit({}).done, /freed/);
  });

  it("needs parameters only where the program reads some", async () => {
    const executable = await device.load(programs.scale());
    await assert.rejects(executable.submit({ x: floats(1, 2, 3, 4) }).done, /No parameters are bound/);
    const other = await device.parameters({
      ...layout,
      places: layout.places.map((place) => ({ ...place, offset: 512 - place.offset })),
    });
    assert.throws(() => executable.bind(other), /"a" has another type or place/);
    executable.free();
    other.free();
  });

  it("names the first kernel that is not finite, and leaves the state as it was", async () => {
    const set = await device.parameters(layout);
    await set.write("a", floats(1, 2, 3, 4));
    const executable = await device.load(programs.quotient());
    executable.bind(set);
    const bad = { x: floats(1, 1, 1, 1), z: floats(1, 0, 1, 1) };
    assert.equal(await executable.firstNonFinite(bad), "quotient of model (a.weft:3-9)");
    assert.deepEqual(await set.read("a"), floats(1, 2, 3, 4));
    assert.equal(await executable.firstNonFinite({ z: floats(1, 1, 1, 1) }), undefined);
    assert.deepEqual(await set.read("a"), floats(1, 2, 3, 4));
    executable.free();
    set.free();
  });

  it("times every launch", async () => {
    const executable = await device.load(programs.long(large));
    await executable.submit({ x: new Float32Array(large).fill(1.5) }).done;
    const profiles: Awaited<ReturnType<typeof executable.profile>>[] = [];
    for (let turn = 0; turn < 5; turn++) profiles.push(await executable.profile());
    for (const profile of profiles) {
      assert.deepEqual(
        profile.map(({ label }) => label),
        ["slow power of model (a.weft:3-9)", "double of model (a.weft:3-9)"],
      );
    }
    // Other processes make one slow now and then.
    const [power, double] = [0, 1].map((launch) => Math.min(...profiles.map((one) => one[launch]!.nanoseconds)));
    assert.ok(power! > double! && double! > 0, `${power} and ${double} ns`);
    executable.free();
  });

  const changes: readonly (readonly [string, RegExp, (program: Program) => Program])[] = [
    [
      "a binding beyond its segment",
      /takes bytes 512 to 528 of segment inputs/,
      (program) =>
        withLaunch(program, (launch) => ({
          ...launch,
          bindings: launch.bindings.map((one) => ({ ...one, offset: one.offset + 256 })),
        })),
    ],
    [
      "a negative offset",
      /takes bytes -256/,
      (program) =>
        withLaunch(program, (launch) => ({
          ...launch,
          bindings: launch.bindings.map((one) => ({ ...one, offset: -256 })),
        })),
    ],
    [
      "a kernel that is not there",
      /number 7 of 1/,
      (program) => withLaunch(program, (launch) => ({ ...launch, kernel: 7 })),
    ],
    [
      "a kernel that writes inputs",
      /writes to segment inputs/,
      (program) =>
        withLaunch(program, (launch) => ({
          ...launch,
          bindings: launch.bindings.map((one) => ({ ...one, access: "write" as const })),
        })),
    ],
    [
      "a name that is no identifier",
      /no name for a kernel/,
      (program) => ({ ...program, kernels: [{ ...program.kernels[0]!, name: "f(); int g" }] }),
    ],
    [
      "an output beyond its segment",
      /Output "y" takes bytes/,
      (program) => ({ ...program, outputs: [{ ...program.outputs[0]!, shape: [1 << 20] }] }),
    ],
    ["another format", /format 2/, (program) => ({ ...program, formatVersion: 2 as never })],
    ["another language", /this one is in cuda/, (program) => ({ ...program, language: "cuda" })],
  ];
  function withLaunch(program: Program, change: (launch: Program["step"][number]) => Program["step"][number]): Program {
    return { ...program, step: program.step.map(change) };
  }
  for (const [what, message, change] of changes) {
    it(`refuses a program with ${what}`, async () => {
      await assert.rejects(device.load(trusted(change(programs.sum()))), message);
    });
  }

  it("runs every submission with the parameters that were bound and there when it was made", async () => {
    const executable = await device.load(programs.scale());
    const [first, second] = [await device.parameters(layout), await device.parameters(layout)];
    await first.write("a", floats(1, 2, 3, 4));
    await second.write("a", floats(5, 6, 7, 8));
    executable.bind(first);
    const before = executable.submit({ x: floats(1, 1, 1, 1) });
    first.free();
    executable.bind(second);
    const after = executable.submit({});
    assert.deepEqual((await before.read(["y"])).y, floats(1, 2, 3, 4));
    assert.deepEqual((await after.read(["y"])).y, floats(5, 6, 7, 8));
    await assert.rejects(first.read("a"), /freed/);
    executable.free();
    second.free();
  });

  it("finishes what was submitted before it closes, and takes nothing more", async () => {
    const closing = await open();
    const executable = await closing.load(programs.sum());
    const submission = executable.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) });
    await closing.close();
    assert.deepEqual((await submission.read(["y"])).y, floats(2, 3, 4, 5));
    await assert.rejects(executable.submit({}).done, /closed/);
    await assert.rejects(closing.load(programs.sum()), /closed/);
    executable.free();
    assert.deepEqual((await submission.read(["y"])).y, floats(2, 3, 4, 5), "after the executable was freed");
  });

  it("keeps the memory of what runs while it closes, whatever is freed meanwhile", async () => {
    const closing = await open();
    const count = large;
    const executable = await closing.load(programs.long(count));
    const submission = executable.submit({ x: new Float32Array(count).fill(2) });
    const closes = closing.close();
    executable.free();
    const { w } = await submission.read(["w"]);
    await closes;
    assert.ok(w.every((value) => Math.abs(value - 8) < 1e-5));
  });
}
