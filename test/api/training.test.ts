import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type Compiled,
  compile,
  loadStage,
  memorySource,
  nodeHost,
  openDevice,
  runEntry,
  runEvaluation,
  safetensorsSource,
  type Tensor,
  type TrainingEvent,
  tensor,
  train,
  trainingPrograms,
} from "../../src/index.js";
import { floats, integers, model, temporaryFolder, writeTensors } from "../cli/support.js";
import { pairs } from "../cli/training-data.js";

const column = ({ shape, data }: Tensor) => ({ dtype: "f32" as const, shape: shape.slice(1), data });
const source = (name: string, rows: number, seed: number) => {
  const { x, y } = pairs(rows, seed);
  return memorySource(name, { x: column(x), y: column(y) });
};

describe("the public API", () => {
  let compiled: Compiled;
  before(async () => {
    compiled = await compile(model("regression"), { settings: { steps: 30 } });
  });

  it("trains a stage, evaluates it and runs it with the weights it left", async () => {
    const open = await openDevice("cpu", { threads: 1 });
    const folder = await temporaryFolder();
    const events: TrainingEvent[] = [];
    const options = {
      model: compiled.model,
      seed: 3,
      folder,
      host: nodeHost(),
      programs: trainingPrograms(compiled, open),
      data: [source("pairs", 64, 1), source("held_out", 20, 2)],
    };
    const result = await train({ ...options, stage: "base", report: (event) => void events.push(event) });
    assert.deepEqual([result.finished, result.stage, result.step], [true, "base", 30]);
    assert.equal(events.filter(({ kind }) => kind === "step").length, 30);
    assert.deepEqual([events[0]!.kind, events.at(-1)!.kind], ["stage", "finished"]);

    const evaluated = await runEvaluation(options, "quality");
    assert.deepEqual(evaluated, result.evaluations.quality);

    const set = await options.programs.parameters();
    await loadStage(options, "base", set);
    const parameters = new Map<string, Tensor>();
    for (const { path, shape } of compiled.model.parameters) {
      assert.deepEqual(await set.read(path), await result.parameters.read(path));
      parameters.set(path, tensor("f32", shape, await set.read(path)));
    }
    const { x } = pairs(20, 2);
    const outputs = await runEntry(compiled, open, { entry: "predict", parameters, inputs: new Map([["x", x]]) });
    assert.deepEqual(outputs.get("output")!.shape, [20, 2]);
    set.free();
    result.parameters.free();
    await open.device.close();
  });

  it("stops at a signal and goes on from there to the same numbers", async () => {
    const open = await openDevice("cpu", { threads: 1 });
    const bytes = async (steps: readonly number[]): Promise<Uint8Array> => {
      const folder = await temporaryFolder();
      for (const last of [...steps, Number.POSITIVE_INFINITY]) {
        const abort = new AbortController();
        const result = await train({
          model: compiled.model,
          stage: "plain",
          seed: 0,
          folder,
          host: nodeHost(),
          programs: trainingPrograms(compiled, open),
          data: [source("pairs", 64, 1)],
          signal: abort.signal,
          report: (event) => {
            if (event.kind === "step" && event.step >= last) abort.abort();
          },
        });
        assert.equal(result.finished, last > 30);
        result.parameters.free();
      }
      return nodeHost().readBytes(join(folder, "plain/final.safetensors"));
    };
    assert.deepEqual(await bytes([4, 11, 12]), await bytes([]));
    await open.device.close();
  });

  it("reads tables of every kind of number from a safetensors file", async () => {
    const folder = await temporaryFolder();
    const path = await writeTensors(join(folder, "table"), {
      picture: floats([3, 2, 2], (place) => place),
      label: integers([3], [4, 5, 6]),
      flag: tensor("bool", [3, 1], Uint8Array.of(1, 0, 1)),
    });
    const table = await safetensorsSource("table", path, nodeHost());
    assert.deepEqual([table.name, table.length], ["table", 3]);
    const { picture, label, flag } = await table.batch([2, 0], [0, 0], ["picture", "label", "flag"]);
    assert.deepEqual(
      [[...picture!], [...label!], [...flag!]],
      [
        [8, 9, 10, 11, 0, 1, 2, 3],
        [6, 4],
        [1, 1],
      ],
    );
    assert.deepEqual([...(table.labels!.label as Int32Array)], [4, 5, 6]);

    const scalar = await writeTensors(join(folder, "scalar"), { weight: floats([], [1]) });
    await assert.rejects(
      safetensorsSource("table", scalar, nodeHost()),
      /scalar: tensor "weight" has no axis, so it has no rows/,
    );
    const empty = await writeTensors(join(folder, "empty"), {});
    await assert.rejects(safetensorsSource("table", empty, nodeHost()), /empty holds no tensors/);
    const uneven = await writeTensors(join(folder, "uneven"), { a: floats([2], [1, 2]), b: floats([3], [1, 2, 3]) });
    await assert.rejects(safetensorsSource("table", uneven, nodeHost()), /column "\w" has \d rows, but "\w" has \d/);
  });
});
