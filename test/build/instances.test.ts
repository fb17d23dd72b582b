import assert from "node:assert/strict";
import {
  type Compiled,
  memorySource,
  type OpenDevice,
  openDevice,
  runEntry,
  runEvaluation,
  type Tensor,
  tensor,
  train,
  trainingPrograms,
} from "../../src/index.js";
import { memoryHost } from "../training/memory-host.js";
import { build, diagnosticsOf } from "./support.js";

const text = `
model M() {
  param weight: [2, 2] = [[1.0, 0.5], [-0.5, 2.0]]

  fn seen(x: [2]) -> ([n, 2], [n], int[]) {
    let all = gather_instances(x)
    (all, float(all.mask), instance_count())
  }

  /// Each x finds its own y among those of the batch.
  fn loss(x: [2], y: [2]) -> [] {
    let key = y @ weight.T
    let keys = gather_instances(key)
    logsumexp(where(keys.mask, keys @ x, -1e9)) - sum(key * x)
  }

  fn others(x: [2]) -> [] {
    let index = gather_instances(instance_index())
    sum(where(index != instance_index(), gather_instances(sum(x)), 0.0))
  }

  /// Nothing of it depends on the instance.
  fn spread(x: [2]) -> [2] {
    let all = gather_instances(x)
    let mean = sum(where(all.mask[:, none], all, 0.0), axis: 0) / float(instance_count())
    sum(where(all.mask[:, none], (all - mean) ** 2, 0.0), axis: 0)
  }

  fn constant() -> [] { sum(gather_instances(weight[0])) }

  train fit on loss { update: weight, optimizer: sgd(0.1), batch: 4, steps: 20, data: pairs }
  evaluate quality on loss { data: pairs, batch: 4 }
}
`;

const rows = 4;
const x = [1, 0, 0.5, -1, 2, 1, -0.3, 0.7];
const y = [0.2, 1, -1, 0.1, 0.4, 0.9, 1.5, -0.6];
const weight = [1, 0.5, -0.5, 2];
const column = (data: readonly number[]): Tensor => tensor("f32", [data.length / 2, 2], Float32Array.from(data));

/** The loss of each of the first `count` rows, among themselves. */
function losses(count: number, w: readonly number[] = weight): number[] {
  const at = (data: readonly number[], row: number) => [data[2 * row]!, data[2 * row + 1]!] as const;
  const keys = Array.from({ length: count }, (_, row) => {
    const [a, b] = at(y, row);
    return [a * w[0]! + b * w[1]!, a * w[2]! + b * w[3]!] as const;
  });
  return keys.map((own, row) => {
    const [a, b] = at(x, row);
    const score = (key: readonly [number, number]) => key[0] * a + key[1] * b;
    return Math.log(keys.reduce((sum, key) => sum + Math.exp(score(key)), 0)) - score(own);
  });
}

const close = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5): void => {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, place) => {
    assert.ok(Math.abs(actual[place]! - value) <= tolerance, `${[...Array.from(actual)]} instead of ${expected}`);
  });
};

describe("what an instance sees of its batch", () => {
  let compiled: Compiled;
  before(async () => {
    compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
  });

  for (const kind of ["reference", "cpu"] as const) {
    describe(`on the ${kind} device`, () => {
      let open: OpenDevice;
      before(async () => {
        open = await openDevice(kind, { threads: 1 });
      });
      after(() => open.device.close());

      const run = (entry: string, inputs: Readonly<Record<string, Tensor>>, gradients: readonly string[] = []) => {
        const parameters = new Map(
          entry === "loss" || entry === "constant"
            ? [["weight", tensor("f32", [2, 2], Float32Array.from(weight))]]
            : [],
        );
        return runEntry(compiled, open, { entry, parameters, inputs: new Map(Object.entries(inputs)), gradients });
      };

      it("is the value of every instance, in their order, and how many they are", async () => {
        const outputs = await run("seen", { x: column(x) });
        assert.deepEqual(outputs.get("output.0")!.shape, [rows, rows, 2]);
        close(outputs.get("output.0")!.data, [...x, ...x, ...x, ...x]);
        close(outputs.get("output.1")!.data, Array(16).fill(1));
        close(outputs.get("output.2")!.data, [4, 4, 4, 4]);
      });

      it("fits batches of every size", async () => {
        const outputs = await run("seen", { x: column(x.slice(0, 2)) });
        assert.deepEqual(outputs.get("output.0")!.shape, [1, 1, 2]);
      });

      it("tells an instance's own row by its index", async () => {
        const sums = [1, -0.5, 3, 0.4];
        const outputs = await run("others", { x: column(x) });
        close(
          outputs.get("output")!.data,
          sums.map((own) => 3.9 - own),
        );
      });

      it("is one value for all where nothing depends on the instance", async () => {
        close((await run("spread", { x: column(x) })).get("output")!.data.slice(0, 2), [2.78, 2.3675], 1e-4);
        close((await run("constant", {})).get("output")!.data, [1.5]);
      });

      it("gives a contrastive loss, whose gradients sum over all instances", async () => {
        const outputs = await run("loss", { x: column(x), y: column(y) }, ["weight", "y"]);
        close(outputs.get("output")!.data, losses(rows));
        const total = (w: readonly number[]) => losses(rows, w).reduce((sum, loss) => sum + loss, 0);
        const moved = (place: number, by: number) => total(weight.with(place, weight[place]! + by));
        const expected = weight.map((_, place) => (moved(place, 1e-4) - moved(place, -1e-4)) / 2e-4);
        close(outputs.get("gradient:weight")!.data, expected, 1e-4);
        assert.deepEqual(outputs.get("gradient:y")!.shape, [rows, 2]);
      });

      it("leaves out the instances that only fill a batch up", async () => {
        const source = (count: number) => {
          const part = (data: readonly number[]) => Float32Array.from(data.slice(0, 2 * count));
          const plain = { dtype: "f32", shape: [2] } as const;
          return memorySource("pairs", { x: { ...plain, data: part(x) }, y: { ...plain, data: part(y) } });
        };
        const options = (count: number) => ({
          model: compiled.model,
          seed: 0,
          folder: "run",
          host: memoryHost(),
          programs: trainingPrograms(compiled, open),
          data: [source(count)],
        });
        for (const count of [1, 3, 4]) {
          const mean = losses(count).reduce((sum, loss) => sum + loss, 0) / count;
          close([(await runEvaluation(options(count), "quality")).output!], [mean]);
        }
        const before = (await runEvaluation(options(4), "quality")).output!;
        const trained = await train({ ...options(4), stage: "fit" });
        const after =
          losses(4, [...(await trained.parameters.read("weight"))]).reduce((sum, loss) => sum + loss, 0) / 4;
        assert.ok(after < 0.7 * before, `${before} to ${after}`);
        trained.parameters.free();
      });
    });
  }

  it("is as large as each stage's and evaluation's batch when a model is checked", async () => {
    const asserting = (plan: string) => `model M() {
  param w: [2] = ones()
  fn loss(x: [2]) -> [] {
    let all = gather_instances(x)
    assert all.shape[0] != 7, "seven"
    sum(all @ w)
  }
  ${plan}
}`;
    assert.deepEqual(await diagnosticsOf(asserting("train a on loss { update: w, optimizer: sgd(0.1) }")), []);
    for (const plan of [
      "train a on loss { update: w, optimizer: sgd(0.1), batch: 7 }",
      "evaluate a on loss { batch: 7 }",
    ])
      assert.deepEqual(
        (await diagnosticsOf(asserting(plan))).map(({ message }) => message),
        ["seven"],
        plan,
      );
  });
});
