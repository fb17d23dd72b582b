import assert from "node:assert/strict";
import {
  type Compiled,
  loadStage,
  memorySource,
  type OpenDevice,
  openDevice,
  runEvaluation,
  type TrainingEvent,
  train,
  trainingPrograms,
} from "../../src/index.js";
import { build } from "../build/support.js";
import { memoryHost } from "../training/memory-host.js";

const text = `
import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"

model M(steps: int = 12) {
  net    = Linear(2, 2)
  pupil  = Linear(2, 2)
  writer = Linear(2, 4)
  memory = adapt net with LoRA(rank: 1) as Flat(1, 2)
  param shared: memory.tokens = memory.initial()

  fn operators(x: [2]) -> memory.tokens { reshape(writer(x), [1, 2, 1, 2]) }
  fn shared_loss(x: [2], y: [2]) -> [] { mean(((net with memory(shared))(x) - y) ** 2) }

  fn loss(x: [2], y: [2]) -> [] { mean((net(x) - y) ** 2) }
  fn pupil_loss(x: [2]) -> [] { mean((pupil(x) - (net at teach)(x)) ** 2) }
  fn far(x: [2]) -> [] { mean((net(x) - (net at teach)(x)) ** 2) }

  train teach on loss { update: net, optimizer: sgd(0.1), batch: 4, steps: steps, data: pairs }
  train spoil on loss { update: net, optimizer: sgd(0.3), batch: 4, steps: steps, data: others, after: teach }
  train learn on pupil_loss { update: pupil, optimizer: adam(0.05), batch: 4, steps: 300, data: pairs, after: spoil }
  train rest on shared_loss { update: net, optimizer: sgd(0.1), batch: 4, steps: 3, data: pairs, after: average }

  collect average into shared { mean: operators, data: mixture(pairs: 1, others: 3), where: kind == "even", batch: 2, after: teach }

  evaluate distance on far { after: spoil, data: pairs, batch: 4, every: 5 }
  evaluate likeness on pupil_loss { after: learn, data: pairs, batch: 8 }
  evaluate averaged on shared_loss { after: average, data: pairs, batch: 8 }
}
`;

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, place) => Math.sin((place + 1) * 12.9898 * (seed + 1)));

const rows = 22;
const source = (name: string, seed: number) =>
  memorySource(
    name,
    {
      x: { dtype: "f32", shape: [2], data: numbers(2 * rows, seed) },
      y: { dtype: "f32", shape: [2], data: numbers(2 * rows, seed + 1) },
    },
    { kind: Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? "even" : "odd")) },
  );

describe("stages that read what others left", () => {
  let compiled: Compiled;
  let open: OpenDevice;
  before(async () => {
    compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
    open = await openDevice("cpu", { threads: 1 });
  });
  after(() => open.device.close());

  const options = () => {
    const events: TrainingEvent[] = [];
    return {
      model: compiled.model,
      seed: 3,
      folder: "run",
      host: memoryHost(),
      programs: trainingPrograms(compiled, open),
      data: [source("pairs", 1), source("others", 5)],
      report: (event: TrainingEvent) => void events.push(event),
      events,
    };
  };
  const trained = async (given: ReturnType<typeof options>, stage: string, signal?: AbortSignal) => {
    const result = await train({ ...given, stage, ...(signal ? { signal } : {}) });
    const value = async (path: string) => [...(await result.parameters.read(path))];
    return { ...result, value };
  };

  it("learn from a copy that stays as its stage left it", async () => {
    const given = options();
    const result = await trained(given, "learn");
    const teacher = await result.value("@teach.net.weight");
    assert.notDeepEqual(await result.value("net.weight"), teacher);
    const alone = await trained(given, "teach");
    assert.deepEqual(await alone.value("net.weight"), teacher);
    (await result.value("pupil.weight")).forEach((number, place) => {
      assert.ok(Math.abs(number - teacher[place]!) < 0.02, `${number} instead of ${teacher[place]}`);
    });
    assert.ok(result.evaluations.likeness!.output! < 1e-3);
    assert.equal((await runEvaluation(given, "likeness")).output, result.evaluations.likeness!.output);
    result.parameters.free();
    alone.parameters.free();
  });

  it("are measured against a copy while they run", async () => {
    const given = options();
    const result = await trained(given, "spoil");
    const measured = given.events.flatMap((event) => (event.kind === "evaluation" ? [event.values.output!] : []));
    assert.equal(measured.length, 3);
    assert.ok(measured.every((value) => value > 0));
    assert.equal((await runEvaluation(given, "distance")).output, measured.at(-1)!);
    result.parameters.free();
  });

  it("train first what they read, and refuse a copy that was trained otherwise since", async () => {
    const given = options();
    (await trained(given, "learn")).parameters.free();
    const stages = given.events.filter(({ kind }) => kind === "stage") as { stage: string }[];
    assert.deepEqual(
      stages.map(({ stage }) => stage),
      ["teach", "spoil", "learn"],
    );
    for (const file of [...given.host.files.keys()])
      if (/^run\/(teach|spoil)/.test(file)) given.host.files.delete(file);
    const other = { ...given, data: [source("pairs", 9), source("others", 5)] };
    (await trained(other, "spoil")).parameters.free();
    await assert.rejects(
      trained(other, "learn"),
      /learn\/final\.safetensors comes from another run:\n {2}- result of spoil: was .*\n {2}- result of teach: was/,
    );
  });

  it("are loaded with the copies that the entry points at hand read", async () => {
    const given = options();
    const set = await given.programs.parameters();
    await loadStage(given, undefined, set, ["loss"]);
    await assert.rejects(loadStage(given, undefined, set, ["far"]), /Stage "teach" has not been trained in run/);
    const result = await trained(given, "teach");
    await loadStage(given, undefined, set, ["far"]);
    assert.deepEqual([...(await set.read("@teach.net.weight"))], await result.value("net.weight"));
    assert.notDeepEqual(await set.read("net.weight"), await result.parameters.read("net.weight"));
    result.parameters.free();
    set.free();
  });
});

describe("a stage that collects a mean", () => {
  let compiled: Compiled;
  let open: OpenDevice;
  before(async () => {
    compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
    open = await openDevice("cpu", { threads: 1 });
  });
  after(() => open.device.close());

  const options = () => ({
    model: compiled.model,
    stage: "average",
    seed: 3,
    folder: "run",
    host: memoryHost(),
    programs: trainingPrograms(compiled, open),
    data: [source("pairs", 1), source("others", 5)],
  });

  /** The writer is affine, so the mean of what it writes is what it writes of the mean. */
  const expected = async (given: ReturnType<typeof options>): Promise<number[]> => {
    const set = await given.programs.parameters();
    await loadStage({ ...given, seed: 3 }, "teach", set, []);
    const [weight, bias] = [await set.read("writer.weight"), await set.read("writer.bias")];
    set.free();
    const means = given.data.map(({ columns }) => {
      const { data } = columns.x as unknown as { data: Float32Array };
      const even = Array.from({ length: rows / 2 }, (_, row) => [data[4 * row]!, data[4 * row + 1]!]);
      return [0, 1].map((axis) => even.reduce((sum, row) => sum + row[axis]!, 0) / even.length);
    });
    const mean = [0, 1].map((axis) => 0.25 * means[0]![axis]! + 0.75 * means[1]![axis]!);
    return Array.from(bias, (number, row) => number + weight[2 * row]! * mean[0]! + weight[2 * row + 1]! * mean[1]!);
  };

  it("stores the mean over the rows that its filter keeps, by the shares of the sources, for later stages", async () => {
    const given = options();
    const events: TrainingEvent[] = [];
    const result = await train({ ...given, report: (event) => void events.push(event) });
    const shared = [...(await result.parameters.read("shared"))];
    (await expected(given)).forEach((number, place) => {
      assert.ok(Math.abs(number - shared[place]!) < 1e-6, `${shared[place]} instead of ${number}`);
    });
    assert.deepEqual([result.stage, result.step, result.file], ["average", 12, "run/average/final.safetensors"]);
    const seen = events.filter(({ kind }) => kind === "collected") as { step: number; steps: number }[];
    assert.deepEqual(
      seen.map(({ step, steps }) => `${step}/${steps}`),
      Array.from({ length: 12 }, (_, place) => `${place + 1}/12`),
    );
    assert.equal((await runEvaluation(given, "averaged")).output, result.evaluations.averaged!.output);
    const later = await train({ ...given, stage: "rest" });
    assert.deepEqual([...(await later.parameters.read("shared"))], shared);
    result.parameters.free();
    later.parameters.free();
  });

  it("ends with the same bytes when it is stopped and resumed", async () => {
    const unbroken = options();
    (await train(unbroken)).parameters.free();
    const broken = options();
    for (const [last, every] of [
      [1, 1],
      [5, 100],
      [8, 100],
    ] as const) {
      const abort = new AbortController();
      const stopped = await train({
        ...broken,
        checkpoint: { steps: every },
        signal: abort.signal,
        report: (event) => event.kind === "collected" && event.step >= last && abort.abort(),
      });
      assert.ok(!stopped.finished && stopped.step >= last && stopped.step < 12, `stopped after ${stopped.step}`);
      assert.ok(broken.host.files.has(stopped.file));
      stopped.parameters.free();
    }
    const result = await train(broken);
    assert.ok(result.finished);
    result.parameters.free();
    const path = "run/average/final.safetensors";
    assert.deepEqual(broken.host.files.get(path), unbroken.host.files.get(path));
    assert.deepEqual(await broken.host.list("run/average"), await unbroken.host.list("run/average"));
  });

  it("is refused when it gives numbers that are not finite", async () => {
    const given = options();
    const spoilt = source("others", 5);
    (spoilt.columns.x as unknown as { data: Float32Array }).data[4] = Number.NaN;
    await assert.rejects(train({ ...given, data: [given.data[0]!, spoilt] }), /not finite/);
  });
});
