import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conflictTasks, instructionLength, vocabulary } from "../../examples/conflict-edit/instructions.js";
import { generator } from "../../examples/conflict-edit/metrics.js";
import { type Pictures, pictureNumbers } from "../../examples/conflict-edit/pictures.js";
import { editSources } from "../../examples/conflict-edit/sources.js";
import {
  type Compiled,
  compile,
  type Model,
  nodeHost,
  type OpenDevice,
  openDevice,
  programFor,
  readSafetensors,
  tensor,
  train,
  trainingPrograms,
  writeSafetensors,
} from "../../src/index.js";
import { targetOf } from "../codegen/devices.js";
import { openPoisoned } from "../webgpu/open-device.js";
import { describeWebGpu } from "../webgpu/software.js";

const steps = 10;
const batch = 2;

/** Four pictures of random colours. */
function randomPictures(): Pictures {
  const random = generator(3);
  const rows = [0, 1, 2, 3];
  return {
    names: rows.map((row) => `picture ${row}`),
    pixels: Float32Array.from({ length: rows.length * pictureNumbers }, () => random()),
    splits: { train: rows, validation: rows, test: rows },
  };
}

/** What starts at zero and would keep gradients from the generator, at random instead. */
function startedWeights({ parameters }: Model): ReturnType<typeof readSafetensors> {
  const random = generator(4);
  const zero = parameters.filter(({ path }) => /^backbone\..*(head|modulation)\.weight$/.test(path));
  const started = zero.map(({ path, shape }): [string, ReturnType<typeof tensor>] => {
    const length = shape.reduce((product, size) => product * size, 1);
    return [
      path,
      tensor(
        "f32",
        shape,
        Float32Array.from({ length }, () => 0.4 * (random() - 0.5)),
      ),
    ];
  });
  return readSafetensors(writeSafetensors(new Map(started)), "started weights");
}

/** The example with little of everything, and the stage that trains the generator by itself. */
async function smallExample(): Promise<Compiled> {
  const compiled = await compile("examples/conflict-edit/conflict-edit.weft", {
    settings: {
      words: vocabulary.length,
      tasks: conflictTasks.length,
      length: instructionLength,
      dim: 16,
      depth: 1,
      heads: 2,
      condition: 16,
      wide_rank: 3,
      generator_depth: 1,
      segment: 16,
    },
  });
  const { after: _, ...full } = compiled.model.stages.find(({ name }) => name === "full")!;
  const stage = { ...full, batch, steps, optimizer: { ...full.optimizer, learningRate: 1e-2 } };
  const { model } = compiled;
  return {
    ...compiled,
    model: { ...model, stages: [stage], evaluations: [], entryPoint: model.entryPoint.bind(model) },
  };
}

describeWebGpu("training the conflict-edit example on WebGPU", function () {
  this.timeout(240_000);
  let compiled: Compiled;
  let webgpu: OpenDevice;
  before(async () => {
    compiled = await smallExample();
    const device = await openPoisoned();
    webgpu = { device, target: targetOf(device) };
  });
  after(() => webgpu.device.close());

  async function losses(open: OpenDevice): Promise<number[]> {
    const folder = await mkdtemp(join(tmpdir(), "conflict-edit-"));
    const found: number[] = [];
    try {
      const { parameters } = await train({
        model: compiled.model,
        stage: "full",
        seed: 5,
        folder,
        host: nodeHost(),
        programs: trainingPrograms(compiled, open),
        data: Object.values(editSources(randomPictures()).sources),
        weights: startedWeights(compiled.model),
        report: (event) => {
          if (event.kind === "step") found.push(event.loss);
        },
      });
      parameters.free();
      return found;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it("gives the losses of the CPU, step by step", async () => {
    const cpu = await openDevice("cpu");
    const expected = await losses(cpu);
    await cpu.device.close();
    const actual = await losses(webgpu);
    assert.equal(actual.length, steps);
    for (const [step, loss] of expected.entries()) {
      const error = Math.abs(actual[step]! - loss) / loss;
      assert.ok(error < 1e-4, `step ${step}: ${actual[step]} instead of ${loss}`);
    }
  });

  it("takes so many dispatches a step, of so many kernels", () => {
    const { model, sources } = compiled;
    const stage = model.stages[0]!;
    const program = programFor(model, sources, stage.on, {
      purpose: { kind: "train", stage },
      batch,
      target: webgpu.target,
    });
    assert.deepEqual(
      { dispatches: program.step.length, kernels: program.kernels.length },
      { dispatches: 231, kernels: 133 },
    );
  });
});
