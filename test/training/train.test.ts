import assert from "node:assert/strict";
import { readSafetensors } from "../../runtime/tensors/safetensors.js";
import { readCurves } from "../../runtime/training/curves.js";
import type { TrainingEvent } from "../../runtime/training/events.js";
import type { TrainingOptions } from "../../runtime/training/options.js";
import { loadStage, runEvaluation, train } from "../../runtime/training/train.js";
import type { Model, RowFilter } from "../../src/build/model.js";
import { baseStage, fakePrograms, linearModel, points } from "./linear-model.js";
import { memoryHost } from "./memory-host.js";

const folder = "runs/test";
const span = baseStage.span;

type Host = ReturnType<typeof memoryHost>;

function setup(
  model: Model = linearModel(),
  changes: Partial<TrainingOptions> = {},
): TrainingOptions & { host: Host; programs: ReturnType<typeof fakePrograms>; events: TrainingEvent[] } {
  const events: TrainingEvent[] = [];
  return {
    model,
    stage: model.stages.at(-1)!.name,
    seed: 7,
    folder,
    host: memoryHost(),
    programs: fakePrograms(model),
    data: [points()],
    report: (event) => events.push(event),
    events,
    ...changes,
  } as ReturnType<typeof setup>;
}

const finalOf = (host: Host, stage = "base"): Uint8Array => host.files.get(`${folder}/${stage}/final.safetensors`)!;

/** Aborts when a step is reported. */
function stopAfter(step: number): Pick<TrainingOptions, "signal" | "report"> {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    report: (event) => event.kind === "step" && event.step === step && controller.abort(),
  };
}

describe("training a stage", () => {
  it("lowers the loss and writes every step's numbers once", async () => {
    const options = setup();
    const result = await train(options);
    assert.equal(result.finished, true);
    const { steps } = await readCurves(options.host, `${folder}/base`);
    assert.deepEqual(
      steps.map(({ step }) => step),
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    assert.ok(steps.at(-1)!.loss < steps[0]!.loss / 3, `${steps[0]!.loss} to ${steps.at(-1)!.loss}`);
    assert.equal(steps[4]!.learning_rate, Number(Math.fround(0.05).toPrecision(9)));
    assert.ok(
      steps.every(
        ({ gradient_norm, seconds, examples_per_second }) =>
          gradient_norm > 0 && seconds > 0 && examples_per_second > 0,
      ),
    );
  });

  it("keeps two submissions in flight and frees what it loaded", async () => {
    const options = setup(linearModel(), { programs: fakePrograms(linearModel(), { delay: 1 }) });
    const { parameters } = await train(options);
    assert.equal(options.programs.log.deepest, 2);
    assert.equal(options.programs.log.executables, options.programs.log.freedExecutables);
    parameters.free();
    assert.equal(options.programs.log.sets, options.programs.log.freedSets);
  });

  it("writes only what the stage updates into its result, and nothing that depends on the clock", async () => {
    const first = setup();
    const second = setup(linearModel(), { checkpoint: { steps: 3 } });
    await train(first);
    await train(second);
    assert.deepEqual([...readSafetensors(finalOf(first.host), "final").entries.keys()].sort(), [
      "head.bias",
      "head.weight",
    ]);
    assert.deepEqual(finalOf(second.host), finalOf(first.host));
    assert.deepEqual(await second.host.list(`${folder}/base`), ["final.safetensors", "metrics.jsonl"]);
  });

  it("depends on the seed", async () => {
    const first = setup();
    const second = setup(linearModel(), { seed: 8 });
    await train(first);
    await train(second);
    assert.notDeepEqual(finalOf(first.host), finalOf(second.host));
  });

  for (const [what, changes] of [
    ["a plain stage", {}],
    ["accumulated gradients", { accumulate: 3, steps: 15 }],
    ["averaged parameters", { ema: 0.9 }],
    [
      "a mixture with a filter",
      {
        data: [
          { name: "points", weight: 2 },
          { name: "more", weight: 1 },
        ],
        where: [{ column: "kind", values: ["other"] }],
      },
    ],
  ] as const) {
    it(`ends with the same bytes when it is stopped and resumed: ${what}`, async () => {
      const model = linearModel({ stages: [{ ...baseStage, ...changes }] });
      const data = [points(), points("more", 11)];
      const unbroken = setup(model, { data });
      await train(unbroken);

      const broken = setup(model, { data });
      const stopped = await train({ ...broken, ...stopAfter(5), checkpoint: { steps: 2 } });
      assert.equal(stopped.finished, false);
      assert.ok(stopped.step >= 5 && stopped.step < 15, `stopped after ${stopped.step}`);
      const again = await train({ ...broken, ...stopAfter(9), checkpoint: {} });
      assert.ok(!again.finished && again.step > stopped.step);
      assert.equal((await train(broken)).finished, true);
      assert.deepEqual(finalOf(broken.host), finalOf(unbroken.host));

      const numbers = async (host: Host) =>
        (await readCurves(host, `${folder}/base`)).steps.map(({ step, loss, gradient_norm }) => [
          step,
          loss,
          gradient_norm,
        ]);
      assert.deepEqual(await numbers(broken.host), await numbers(unbroken.host));
    });
  }

  it("starts over without harm when it is stopped before its first step", async () => {
    const options = setup();
    const stopped = await train({ ...options, signal: AbortSignal.abort() });
    assert.deepEqual([stopped.finished, stopped.step], [false, 0]);
    assert.ok(options.host.files.has(stopped.file));
    await train(options);
    const unbroken = setup();
    await train(unbroken);
    assert.deepEqual(finalOf(options.host), finalOf(unbroken.host));
  });

  it("leaves averaged parameters as the result when the stage asks for them", async () => {
    const plain = setup();
    const averaged = setup(linearModel({ stages: [{ ...baseStage, ema: 0.9 }] }));
    const weight = async (options: ReturnType<typeof setup>) => {
      const { parameters } = await train(options);
      return (await parameters.read("head.weight"))[0]!;
    };
    const [last, mean] = [await weight(plain), await weight(averaged)];
    assert.notEqual(last, mean);
    assert.ok(Math.abs(last - mean) < 0.3);
  });
});

describe("stages that come after one another", () => {
  const model = linearModel({
    stages: [
      baseStage,
      { ...baseStage, name: "shift", update: ["shift"], after: "base", steps: 6 },
      { ...baseStage, name: "tune", after: "base", steps: 6 },
    ],
  });

  it("trains what is missing, reuses what is there, and starts from it", async () => {
    const options = setup(model);
    const first = await train({ ...options, stage: "shift" });
    const head = readSafetensors(finalOf(options.host), "base").tensor("head.weight").data;
    assert.deepEqual(await first.parameters.read("head.weight"), head);
    const before = finalOf(options.host);
    await train({ ...options, stage: "tune" });
    assert.equal(finalOf(options.host), before);
    assert.deepEqual(
      options.events.filter(({ kind }) => kind === "reused"),
      [{ kind: "reused", stage: "base", file: `${folder}/base/final.safetensors` }],
    );
  });

  it("does not see what a sibling changed", async () => {
    const options = setup(model);
    await train({ ...options, stage: "tune" });
    const alone = finalOf(options.host, "tune");
    await options.host.remove(`${folder}/tune`);
    await train({ ...options, stage: "shift" });
    await train({ ...options, stage: "tune" });
    assert.deepEqual(finalOf(options.host, "tune"), alone);
  });

  it("refuses a result whose foundation has been trained anew", async () => {
    const options = setup(model);
    await train({ ...options, stage: "shift" });
    await options.host.remove(`${folder}/base`);
    const other = {
      ...model,
      stages: model.stages.map((stage) => (stage.name === "base" ? { ...stage, steps: 12 } : stage)),
    };
    await assert.rejects(
      train({ ...options, model: other, stage: "shift" }),
      /shift\/final\.safetensors comes from another run:\n {2}- result of base: was/,
    );
  });

  it("loads a finished stage for use, and says which stage is missing", async () => {
    const options = setup(model);
    await train({ ...options, stage: "base" });
    const set = await options.programs.parameters();
    await loadStage(options, "base", set);
    assert.deepEqual(
      await set.read("head.weight"),
      readSafetensors(finalOf(options.host), "base").tensor("head.weight").data,
    );
    await assert.rejects(loadStage(options, "shift", set), /Stage "shift" has not been trained in runs\/test/);
  });

  it("loads a finished stage without its data or its seed, but only into the model it belongs to", async () => {
    const options = setup(model);
    const trained = await train({ ...options, stage: "base" });
    const set = await options.programs.parameters();
    await loadStage({ ...options, seed: 0, data: [] }, "base", set);
    for (const { path } of model.parameters)
      assert.deepEqual(await set.read(path), await trained.parameters.read(path));
    await assert.rejects(
      loadStage({ ...options, model: { ...model, settings: { features: 9 } } }, "base", set),
      /base\/final\.safetensors comes from another run:\n {2}- setting features: was 3, is now 9\n {2}help/,
    );
    const path = `${folder}/base/final.safetensors`;
    options.host.files.set(path, options.host.files.get(path)!.subarray(0, 100));
    await assert.rejects(loadStage(options, "base", set), /ends inside its header.*\n {2}help: remove it and train/);
  });

  it("names unknown stages, circles, and paths that hold nothing to train", async () => {
    const rejects = (changed: Model, stage: string, message: RegExp) =>
      assert.rejects(train({ ...setup(changed), stage }), message);
    await rejects(model, "edit", /no training stage "edit"\n {2}help: its stages are base, shift, tune/);
    await rejects(linearModel({ stages: [{ ...baseStage, after: "base" }] }), "base", /comes after itself/);
    await rejects(
      linearModel({ stages: [{ ...baseStage, update: ["tail"] }] }),
      "base",
      /updates "tail", but no parameter stands there/,
    );
    await rejects(
      linearModel({ stages: [{ ...baseStage, update: ["frozen"] }] }),
      "base",
      /all that stands there is frozen/,
    );
  });
});

describe("a run that cannot go on", () => {
  it("says what differs when the folder belongs to other settings", async () => {
    const options = setup();
    await train({ ...options, ...stopAfter(3) });
    const other = linearModel({ settings: { features: 4 }, stages: [{ ...baseStage, batch: 8 }] });
    await assert.rejects(
      train({ ...options, model: other }),
      /comes from another run:\n {2}- setting features: was 3, is now 4\n {2}- batch: was 4, is now 8\n {2}help: /,
    );
    await assert.rejects(train({ ...options, seed: 9 }), /- seed: was 7, is now 9/);
  });

  it("goes on with another number of threads, but says so", async () => {
    const options = setup();
    await train({ ...options, ...stopAfter(3) });
    await train({ ...options, programs: fakePrograms(options.model, { threads: 8 }) });
    const warnings = options.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
    assert.match(warnings.join("\n"), /written before the number of threads changed/);
  });

  it("goes back to the checkpoint before a torn one, with a warning, and still ends alike", async () => {
    const unbroken = setup();
    await train(unbroken);
    const damages: readonly [(bytes: Uint8Array) => Uint8Array, RegExp][] = [
      [(bytes) => bytes.subarray(0, bytes.length / 2), /ends (inside its header|at byte)|belong|only/],
      [(bytes) => bytes.slice().fill(0, bytes.length - 8), /is damaged: its data is not what was written/],
      [() => new Uint8Array(), /is 0 bytes long/],
    ];
    for (const [damage, message] of damages) {
      const options = setup();
      await train({ ...options, ...stopAfter(17), checkpoint: { steps: 5 } });
      const [older, newest, ...none] = (await options.host.list(`${folder}/base`)).filter((name) =>
        name.startsWith("checkpoint"),
      );
      assert.ok(older! < newest! && none.length === 0, "two checkpoints are kept");
      const path = `${folder}/base/${newest}`;
      options.host.files.set(path, damage(options.host.files.get(path)!));
      await train(options);
      const [warning, ...others] = options.events.filter(({ kind }) => kind === "warning") as { text: string }[];
      assert.match(warning!.text, message);
      assert.match(warning!.text, new RegExp(path));
      assert.equal(others.length, 0);
      const [stage] = options.events.filter(({ kind }) => kind === "stage") as { step: number }[];
      assert.equal(stage!.step, Number(/\d+/.exec(older!)![0]));
      assert.deepEqual(finalOf(options.host), finalOf(unbroken.host));
    }
  });

  it("names the node, the step and the last good checkpoint when a number is not finite", async () => {
    const options = setup(linearModel({ stages: [{ ...baseStage, accumulate: 2 }] }), { checkpoint: { steps: 3 } });
    const source = points();
    let batches = 0;
    const poisoned = {
      ...source,
      async batch(...call: Parameters<typeof source.batch>) {
        const batch = await source.batch(...call);
        // The 19th part is the first of step 10. Asked again, it gives the same rows; the others are told apart by their seeds.
        if (++batches === 19) seeds = call[1].join();
        if (call[1].join() === seeds) (batch.y as Float32Array)[1] = Number.POSITIVE_INFINITY;
        return batch;
      },
    };
    let seeds = "";
    await assert.rejects(
      train({ ...options, data: [poisoned] }),
      /Stage "base" stopped in step 10 of 40: the loss is (Infinity|NaN); the first value that is not finite is in loss at linear\.weft:3\n {2}help: the last good checkpoint is runs\/test\/base\/checkpoint-00000009\.safetensors/,
    );
    assert.equal(options.programs.log.sets, options.programs.log.freedSets);
    const curves = await readCurves(options.host, `${folder}/base`);
    assert.equal(curves.steps.at(-1)!.step, 9);
  });

  it("passes on a data source's own error", async () => {
    const source = points();
    const failing = {
      ...source,
      batch: async () => {
        throw new Error("the disk is gone");
      },
    };
    await assert.rejects(train(setup(linearModel(), { data: [failing] })), /the disk is gone/);
  });
});

describe("evaluation", () => {
  const evaluation = {
    name: "quality",
    on: "loss",
    after: "base",
    data: [{ name: "points", weight: 1 }],
    where: [] as RowFilter[],
    batch: 16,
    every: 10,
    span,
  };

  it("measures during training and at the end, on all rows, without changing the training", async () => {
    const plain = setup(linearModel({ stages: [{ ...baseStage, ema: 0.9 }] }));
    await train(plain);
    const measured = setup(linearModel({ stages: [{ ...baseStage, ema: 0.9 }], evaluations: [evaluation] }));
    const result = await train(measured);
    assert.deepEqual(finalOf(measured.host), finalOf(plain.host));
    const { evaluations, steps } = await readCurves(measured.host, `${folder}/base`);
    assert.deepEqual(
      evaluations.map(({ step }) => step),
      [10, 20, 30, 40],
    );
    assert.equal(steps.length, 40);
    assert.ok(evaluations[3]!.values.output! < evaluations[0]!.values.output!);
    assert.equal(
      result.evaluations.quality!.output,
      await runEvaluation(measured, "quality").then(({ output }) => output),
    );
  });

  it("gives the mean over the rows whatever the batch", async () => {
    const means = [];
    for (const batch of [1, 5, 37, 64]) {
      const model = linearModel({ evaluations: [{ ...evaluation, batch, every: 0, after: undefined as never }] });
      means.push((await runEvaluation(setup(model), "quality")).output!);
    }
    for (const mean of means) assert.ok(Math.abs(mean - means[0]!) < 1e-9 * means[0]!, `${means}`);
    assert.ok(means[0]! > 0.1);
  });

  it("leaves out the rows that its filter refuses", async () => {
    const measured = async (values?: readonly string[]): Promise<number> => {
      const where = values === undefined ? [] : [{ column: "kind", values }];
      const model = linearModel({ evaluations: [{ ...evaluation, where, every: 0, after: undefined as never }] });
      return (await runEvaluation(setup(model), "quality")).output!;
    };
    // 37 rows, of which 13 are of the kind "third". Draws depend on the place in the evaluation, so the parts are not exactly the whole.
    const [third, other, all] = [await measured(["third"]), await measured(["other"]), await measured()];
    assert.ok(Math.abs((13 * third + 24 * other) / 37 - all) < 0.1 * all, `${third} and ${other} of ${all}`);
    assert.notEqual(third, other);
    await assert.rejects(
      measured(["fourth"]),
      /No row of the data "points" passes the filters of Evaluation "quality"/,
    );
  });
});
