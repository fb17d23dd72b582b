import assert from "node:assert/strict";
import type { Device, TensorData } from "../../runtime/device.js";
import { createReferenceDevice } from "../../runtime/reference/device.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import { parseGraph } from "../../src/graph/text.js";
import { randomGraph } from "../graphs/random.js";
import { programOf } from "./programs.js";

const graph = (...lines: readonly string[]): Graph => parseGraph(lines.join("\n"));

const input = (value: number, name: string, size: number) =>
  `%${value}: f32[${size}] = input() {name: "${name}", dtype: "f32", shape: [${size}], perInstance: false}`;
const parameter = (value: number, path: string, size: number) =>
  `%${value}: f32[${size}] = parameter() {path: "${path}", dtype: "f32", shape: [${size}]}`;

/** y = x * w; the gradient of sum(y) / 1 for w is x. */
const training = graph(
  input(0, "x", 3),
  parameter(1, "w", 3),
  "%2: f32[3] = multiply(%0, %1) @ head model.weft:3-9",
  "%3: f32[] = reduce_sum(%2) {axes: [0]}",
  'output "loss" = %3',
  'output "gradient:w" = %0',
);

/** w -= learning rate * (momentum = momentum / 2 + gradient), on ranges. */
const optimizer = graph(
  '%0: f32[3] = range() {name: "parameters", segment: "parameters", offset: 64, dtype: "f32", shape: [3]}',
  '%1: f32[3] = range() {name: "gradients", segment: "gradients", offset: 64, dtype: "f32", shape: [3]}',
  '%2: f32[3] = range() {name: "momentum", segment: "optimizer", offset: 64, dtype: "f32", shape: [3]}',
  '%3: f32[3] = constant() {dtype: "f32", shape: [3], value: 0.5}',
  "%4: f32[3] = multiply(%2, %3)",
  "%5: f32[3] = add(%4, %1)",
  '%6: f32[] = scalar() {name: "learning_rate"}',
  "%7: f32[3] = broadcast(%6) {shape: [3], axes: []}",
  "%8: f32[3] = multiply(%5, %7)",
  "%9: f32[3] = subtract(%0, %8)",
  "%10: f32[] = reduce_sum(%1) {axes: [0]}",
  'output "gradient_sum" = %10',
  'update "parameters" = %9',
  'update "momentum" = %5',
);

/** `a` stands before `w`, so that w's offset is 256 bytes, 64 elements. */
const trainingProgram = programOf([training, optimizer], {
  optimizerBytes: 512,
  parameters: new Map([["a", { dtype: "i32", shape: [2] }]]),
});

const double = programOf([graph(input(0, "x", 2), "%1: f32[2] = add(%0, %0)", 'output "y" = %1')]);

describe("the reference device", () => {
  let device: Device;
  beforeEach(() => {
    device = createReferenceDevice();
  });
  afterEach(() => device.close());

  const load = async (program = double) => {
    const executable = await device.load(program);
    const set = await device.parameters(program.parameters);
    executable.bind(set);
    return { executable, set };
  };

  it("runs a step: gradients and optimiser state reach their segments, at their offsets", async () => {
    const { executable, set } = await load(trainingProgram);
    await set.write("a", Int32Array.of(7, 8));
    await set.write("w", Float32Array.of(1, 2, 3));
    const first = executable.submit({ x: Float32Array.of(1, 0, 2) }, { learning_rate: 0.5 });
    assert.deepEqual(await first.read(["loss", "gradient_sum"]), {
      loss: Float32Array.of(7),
      gradient_sum: Float32Array.of(3),
    });
    assert.deepEqual(await set.read("w"), Float32Array.of(0.5, 2, 2));
    await executable.submit({}).done;
    assert.deepEqual(await set.read("w"), Float32Array.of(-0.25, 2, 0.5));
    assert.deepEqual(await set.read("a"), Int32Array.of(7, 8));
    const floats = async (segment: "gradients" | "optimizer") =>
      new Float32Array((await set.readSegment(segment)).buffer).slice(64, 67);
    assert.deepEqual(await floats("gradients"), Float32Array.of(1, 0, 2));
    assert.deepEqual(await floats("optimizer"), Float32Array.of(1.5, 0, 3));
  });

  it("runs every submission with the parameters that were bound and there when it was made", async () => {
    const { executable, set } = await load(trainingProgram);
    const other = await device.parameters(trainingProgram.parameters);
    await set.write("w", Float32Array.of(1, 1, 1));
    await other.write("w", Float32Array.of(2, 2, 2));
    const before = executable.submit({ x: Float32Array.of(1, 1, 1) });
    set.free();
    executable.bind(other);
    const after = executable.submit({});
    executable.free();
    assert.deepEqual(await before.read(["loss"]), { loss: Float32Array.of(3) });
    assert.deepEqual(await after.read(["loss"]), { loss: Float32Array.of(6) });
    await assert.rejects(set.read("w"), /freed/);
  });

  it("gives random graphs' outputs and updates the interpreter's numbers", async () => {
    const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint8Array };
    for (let seed = 0; seed < 15; seed++) {
      const random = randomGraph(seed, { updates: true });
      const program = programOf([random.graph]);
      const { executable, set } = await load(program);
      const host = (dtype: string, data: Float64Array): TensorData => arrays[dtype as keyof typeof arrays].from(data);
      for (const { path, dtype } of program.parameters.places)
        await set.write(path, host(dtype, random.stored.get(path)!));
      const inputs = Object.fromEntries(
        program.inputs.map(({ name, dtype }) => [name, host(dtype, random.inputs.get(name)![0]!)]),
      );
      const submission = executable.submit(inputs, random.scalars);
      const results = await submission.read(program.outputs.map(({ name }) => name));
      const expected = evaluate(random.graph, random.environment());
      for (const { name, dtype } of program.outputs) {
        assert.deepEqual(results[name], host(dtype, expected.get(name)!.data), `seed ${seed}, ${name}`);
      }
      for (const { name } of random.graph.updates) {
        assert.deepEqual(await set.read(name), host("f32", expected.get(name)!.data), `seed ${seed}, ${name}`);
      }
    }
  });

  it("runs submissions in order, each with the arrays as they were when it was handed in", async () => {
    const { executable } = await load();
    const x = new Float32Array(2);
    const submissions = [1, 2, 3, 4].map((value) => {
      x.fill(value);
      return executable.submit({ x });
    });
    const order: number[] = [];
    submissions.forEach((submission, place) => {
      void submission.done.then(() => order.push(place));
    });
    for (const [place, submission] of submissions.entries()) {
      assert.deepEqual((await submission.read(["y"])).y, Float32Array.of(2 * place + 2, 2 * place + 2));
    }
    assert.deepEqual(order, [0, 1, 2, 3]);
  });

  it("stands reads and writes of parameters in line with submissions", async () => {
    const { executable, set } = await load(trainingProgram);
    void set.write("w", Float32Array.of(1, 1, 1));
    const submission = executable.submit({ x: Float32Array.of(1, 1, 1) }, { learning_rate: 1 });
    const between = set.read("w");
    void set.write("w", Float32Array.of(5, 5, 5));
    assert.deepEqual((await submission.read(["loss"])).loss, Float32Array.of(3));
    assert.deepEqual(await between, Float32Array.of(0, 0, 0));
    assert.deepEqual(await set.read("w"), Float32Array.of(5, 5, 5));
  });

  it("keeps inputs and scalars that are left out", async () => {
    const seeded = programOf([
      graph(input(0, "x", 1), '%1: u32[] = scalar() {name: "step"}', 'output "x" = %0', 'output "step" = %1'),
    ]);
    const { executable } = await load(seeded);
    await executable.submit({ x: Float32Array.of(3) }, { step: 5 }).done;
    assert.deepEqual(await executable.submit({}).read(["x", "step"]), {
      x: Float32Array.of(3),
      step: Uint32Array.of(5),
    });
  });

  it("passes outputs between executables without the host, and lets them be read later", async () => {
    const { executable: one } = await load();
    const { executable: two } = await load();
    const first = one.submit({ x: Float32Array.of(1, 2) });
    const second = two.submit({ x: first.output("y") });
    const third = one.submit({ x: second.output("y") });
    assert.deepEqual((await third.read(["y"])).y, Float32Array.of(8, 16));
    assert.deepEqual((await first.read(["y"])).y, Float32Array.of(2, 4));
  });

  it("shares one parameter set between executables", async () => {
    const { executable, set } = await load(trainingProgram);
    const reader = await device.load(
      programOf([graph(parameter(0, "w", 3), 'output "w" = %0')], {
        parameters: new Map([["a", { dtype: "i32", shape: [2] }]]),
      }),
    );
    reader.bind(set);
    await set.write("w", Float32Array.of(1, 1, 1));
    executable.submit({ x: Float32Array.of(1, 2, 3) }, { learning_rate: 1 });
    assert.deepEqual((await reader.submit({}).read(["w"])).w, Float32Array.of(0, -1, -2));
  });

  it("stores gradients that a program without optimiser does not hand out, and only hands out the others", async () => {
    const kept = await load(programOf([training]));
    await kept.executable.submit({ x: Float32Array.of(1, 2, 3) }).done;
    assert.deepEqual(
      new Float32Array((await kept.set.readSegment("gradients")).buffer).slice(0, 3),
      Float32Array.of(1, 2, 3),
    );
    const handed = await load(programOf([training], { outputs: ["gradient:w"] }));
    const submission = handed.executable.submit({ x: Float32Array.of(1, 2, 3) });
    assert.deepEqual((await submission.read(["gradient:w"]))["gradient:w"], Float32Array.of(1, 2, 3));
    assert.ok((await handed.set.readSegment("gradients")).every((byte) => byte === 0));
  });

  it("writes and reads whole segments, making room for optimiser state", async () => {
    const { executable, set } = await load(trainingProgram);
    assert.equal((await set.readSegment("optimizer")).length, 512);
    const state = new Uint8Array(512);
    new Float32Array(state.buffer).set([2, 2, 2], 64);
    await set.writeSegment("optimizer", state);
    await executable.submit({ x: Float32Array.of(0, 0, 0) }, { learning_rate: 1 }).done;
    assert.deepEqual(await set.read("w"), Float32Array.of(-1, -1, -1));
    await assert.rejects(set.writeSegment("parameters", new Uint8Array(8)), /Segment parameters has 512 bytes, but 8/);
  });

  it("names the first node whose numbers are not finite, and leaves stored tensors alone", async () => {
    const { executable, set } = await load(trainingProgram);
    await set.write("w", Float32Array.of(1, 2, 3));
    const scalars = { learning_rate: 1 };
    assert.equal(await executable.firstNonFinite({ x: Float32Array.of(1, 2, 3) }, scalars), undefined);
    const before = await set.readSegment("optimizer");
    await set.write("w", Float32Array.of(3e38, 2, 3));
    assert.equal(await executable.firstNonFinite({ x: Float32Array.of(Infinity, 2, 3) }), "input");
    assert.deepEqual(await set.read("w"), Float32Array.of(3e38, 2, 3));
    assert.deepEqual(await set.readSegment("optimizer"), before);
    const root = programOf([
      graph(input(0, "x", 1), "%1: f32[1] = sqrt(%0) @ head model.weft:3-9", "%2: f32[1] = exp(%1)", 'output "y" = %2'),
    ]);
    const { executable: rooted } = await load(root);
    assert.equal(await rooted.firstNonFinite({ x: Float32Array.of(-1) }), "sqrt of head (model.weft:3-9)");
  });

  it("profiles node by node without training", async () => {
    const { executable, set } = await load(trainingProgram);
    await executable.submit({ x: Float32Array.of(1, 2, 3) }, { learning_rate: 1 }).done;
    const before = await set.read("w");
    const times = await executable.profile();
    assert.equal(times.length, training.nodes.length + optimizer.nodes.length);
    assert.ok(times.some(({ label }) => label === "multiply of head (model.weft:3-9)"));
    assert.ok(times.every(({ nanoseconds }) => nanoseconds >= 0));
    assert.deepEqual(await set.read("w"), before);
  });

  it("stores every dtype in its own width", async () => {
    const dtypes = ["f32", "f16", "bf16", "i32", "u32", "bool"] as const;
    const lines = dtypes.map(
      (dtype, place) => `%${place}: ${dtype}[3] = parameter() {path: "${dtype}", dtype: "${dtype}", shape: [3]}`,
    );
    const program = programOf([graph(...lines, ...dtypes.map((dtype, place) => `output "${dtype}" = %${place}`))]);
    const { executable, set } = await load(program);
    const values: Record<(typeof dtypes)[number], TensorData> = {
      f32: Float32Array.of(0.1, -2, 3e30),
      f16: Float32Array.of(0.5, -2, 65504),
      bf16: Float32Array.of(0.5, -2, 256),
      i32: Int32Array.of(-1, 2 ** 31 - 1, 0),
      u32: Uint32Array.of(2 ** 32 - 1, 0, 7),
      bool: Uint8Array.of(1, 0, 1),
    };
    for (const dtype of dtypes) await set.write(dtype, values[dtype]);
    assert.deepEqual(await executable.submit({}).read(dtypes), values);
    assert.ok(program.parameters.places.every(({ shape }) => elementCount(shape) === 3));
  });

  describe("rejects", () => {
    it("the submission whose input is missing, unknown or of the wrong type, and goes on with the next", async () => {
      const { executable } = await load();
      const bad = [
        executable.submit({}),
        executable.submit({ z: new Float32Array(2) }),
        executable.submit({ x: new Float32Array(3) }),
        executable.submit({ x: new Int32Array(2) }),
      ];
      const good = executable.submit({ x: Float32Array.of(1, 2) });
      const messages = [/"x" was never given/, /no input "z"/, /"x" is f32\[2\], but was given 3/, /in a Int32Array/];
      for (const [place, submission] of bad.entries()) {
        await assert.rejects(submission.done, messages[place]!);
        await assert.rejects(submission.read(["y"]), messages[place]!);
      }
      assert.deepEqual((await good.read(["y"])).y, Float32Array.of(2, 4));
    });

    it("a submission that takes an output of one that failed, with the same error", async () => {
      const { executable } = await load();
      const failed = executable.submit({ x: new Float32Array(3) });
      await assert.rejects(executable.submit({ x: failed.output("y") }).done, /was given 3 numbers/);
    });

    it("outputs that there are not, and tensors of other devices", async () => {
      const { executable } = await load();
      const submission = executable.submit({ x: new Float32Array(2) });
      assert.throws(() => submission.output("z"), /no output "z"/);
      await assert.rejects(submission.read(["z" as "y"]), /no output "z"/);
      const other = createReferenceDevice();
      const foreign = (await other.load(double)).submit({ x: new Float32Array(2) });
      await assert.rejects(executable.submit({ x: foreign.output("y") }).done, /tensor of another device/);
      await other.close();
    });

    it("runs without parameters, parameters that stand elsewhere, and freed ones", async () => {
      const executable = await device.load(trainingProgram);
      await assert.rejects(executable.submit({ x: new Float32Array(3) }).done, /No parameters are bound/);
      const elsewhere = await device.parameters({
        bytes: 512,
        places: trainingProgram.parameters.places.map((place) => ({ ...place, offset: place.offset + 256 })),
      });
      assert.throws(() => executable.bind(elsewhere), /"a" is i32\[2\] at 256, but the program has i32\[2\] at 0/);
      const set = await device.parameters(trainingProgram.parameters);
      executable.bind(set);
      set.free();
      await assert.rejects(executable.submit({ x: new Float32Array(3) }).done, /parameters were freed/);
      executable.free();
      await assert.rejects(executable.submit({ x: new Float32Array(3) }).done, /executable was freed/);
    });

    it("writes of the wrong length or kind, and paths that there are not", async () => {
      const { set } = await load(trainingProgram);
      await assert.rejects(set.write("w", new Float32Array(2)), /"w" is f32\[3\], but was given 2 numbers/);
      await assert.rejects(set.write("w", new Int32Array(3)), /Int32Array/);
      await assert.rejects(set.read("v"), /no parameter "v"/);
    });

    it("programs whose graphs are broken or do not agree with them", async () => {
      const rejected = (change: object, message: RegExp) =>
        assert.rejects(device.load({ ...trainingProgram, ...change }), message);
      await rejected({ formatVersion: 2 }, /format 2/);
      await rejected({ graphs: [] }, /no graph/);
      await rejected({ graphs: ["nonsense"] }, /line 1/);
      await rejected({ graphs: ["%0: f32[] = iota() {shape: [2], axis: 0}"] }, /%0 should be i32\[2\]/);
      await rejected({ inputs: [] }, /no input "x"/);
      await rejected({ parameters: { places: [], bytes: 512 } }, /no parameter "w"/);
      await rejected({ segments: { ...trainingProgram.segments, optimizer: 256 } }, /"momentum" ends at 268 of 256/);
      const outputs = trainingProgram.outputs.map((place) => ({ ...place, name: `${place.name}!` }));
      await rejected({ outputs }, /No graph of the program yields its output "loss!"/);
      const inputs = trainingProgram.inputs.map((place) => ({ ...place, shape: [4] }));
      await rejected({ inputs }, /Input "x" is f32\[4\] in the program and f32\[3\] in its graph/);
    });

    it("everything once it is closed", async () => {
      const { executable } = await load();
      await device.close();
      await assert.rejects(device.load(double), /closed/);
      await assert.rejects(executable.submit({ x: new Float32Array(2) }).done, /closed/);
    });
  });
});
