import assert from "node:assert/strict";
import { fnv1a } from "../../runtime/training/random.js";
import {
  type Compiled,
  type OpenDevice,
  openDevice,
  openSampler,
  type ParameterSet,
  type SampleRequest,
  type Sampler,
  SamplingError,
  type TrainingPrograms,
  trainingPrograms,
} from "../../src/index.js";
import { drawInto } from "../../src/primitives/philox.js";
import { build } from "../build/support.js";

const text = `
model M() {
  param turn: [2, 2] = [[0.5, -1.0], [1.0, 0.5]]

  fn code(hint: [3]) -> [2] { hint[:2] * 2.0 + hint[2] }
  fn velocity(x: [2], t: [], code: [2], words: int[..3]) -> [2] {
    x @ turn + t * code + sum(float(words) * float(words.mask))
  }
  fn blind(x: [2], t: []) -> [2] { x @ turn }
  fn noisy(x: [2], t: []) -> [2] { normal([2], key: "jump") }

  sample draw { once: code, step: velocity, unguided: blind, solver: euler(steps: 5), guidance: 2.5 }
  sample walk { step: noisy, solver: euler(steps: 3) }
}
`;

const turn = [0.5, -1, 1, 0.5];
const hints = [0.1, -0.2, 0.3, 1, 0.5, -1, 0, 0.7, 0.2];
const words = [1, 2, 3, 0, 4, 0, 1, 1, 1];
const mask = [1, 1, 0, 0, 1, 0, 1, 1, 1];

const start = (row: number, seed: number): number[] => {
  const drawn = new Float64Array(2);
  drawInto("normal", { seed, step: 0, row, key: fnv1a("start") }, drawn, 0, 2);
  return [...drawn];
};

/** What the loop comes to for one row of the data. */
function solved(row: number, from: readonly number[], steps: number, guidance: number): number[] {
  const [a, b, c] = hints.slice(3 * row, 3 * row + 3) as [number, number, number];
  const code = [2 * a + c, 2 * b + c];
  const total = [0, 1, 2].reduce((sum, place) => sum + words[3 * row + place]! * mask[3 * row + place]!, 0);
  let x = [...from];
  for (let step = 0; step < steps; step++) {
    const turned = [x[0]! * turn[0]! + x[1]! * turn[2]!, x[0]! * turn[1]! + x[1]! * turn[3]!];
    const velocity = turned.map((number, axis) => number + guidance * ((step / steps) * code[axis]! + total));
    x = x.map((number, axis) => number + velocity[axis]! / steps);
  }
  return x;
}

const request = (rows: readonly number[], changes: Partial<SampleRequest> = {}): SampleRequest => {
  const part = (data: readonly number[]) => rows.flatMap((row) => data.slice(3 * row, 3 * row + 3));
  const inputs = {
    hint: Float32Array.from(part(hints)),
    words: Int32Array.from(part(words)),
    "words.mask": Uint8Array.from(part(mask)),
  };
  return { inputs, seed: 11, rows, ...changes };
};

const close = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(actual.length, expected.length);
  expected.forEach((number, place) => {
    const difference = Math.abs(actual[place]! - number);
    assert.ok(difference <= 1e-5 * Math.max(1, Math.abs(number)), `${actual[place]} instead of ${number}`);
  });
};

for (const kind of ["reference", "cpu"] as const) {
  describe(`sampling on the ${kind} device`, () => {
    let open: OpenDevice;
    let compiled: Compiled;
    let programs: TrainingPrograms;
    let set: ParameterSet;
    let sampler: Sampler;
    /** Names of the entry points that were submitted. */
    const submitted: string[] = [];
    before(async () => {
      compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
      open = await openDevice(kind, { threads: 1 });
      const real = trainingPrograms(compiled, open);
      programs = {
        ...real,
        async evaluate(entry, batch) {
          const executable = await real.evaluate(entry, batch);
          const submit = executable.submit.bind(executable);
          executable.submit = (inputs, scalars) => {
            submitted.push(`${entry}(${Object.keys(inputs).sort().join(", ")})`);
            return submit(inputs, scalars);
          };
          return executable;
        },
      };
      set = await programs.parameters();
      await set.write("turn", Float32Array.from(turn));
      sampler = await openSampler(compiled.model, "draw", programs, set, 4);
    });
    after(async () => {
      sampler.free();
      set.free();
      await open.device.close();
    });

    it("goes from noise along the guided velocity in steps of equal length", async () => {
      submitted.length = 0;
      const found = await sampler.sample(request([0, 1, 2]));
      close(
        found,
        [0, 1, 2].flatMap((row) => solved(row, start(row, 11), 5, 2.5)),
      );
      assert.deepEqual(sampler.shape, [2]);
      assert.deepEqual(
        sampler.inputs.map(({ name }) => name),
        ["words", "words.mask", "hint"],
      );
    });

    it("runs once what is to run once, and hands over for each step only the state and the time", () => {
      assert.deepEqual(submitted, [
        "code(hint)",
        "draw(code, solver.guidance, solver.step, t, words, words.mask, x)",
        ...Array.from({ length: 4 }, () => "draw(t, x)"),
      ]);
    });

    it("gives a row the same sample wherever it stands", async () => {
      const all = await sampler.sample(request([0, 1, 2]));
      const alone = await sampler.sample(request([2]));
      assert.deepEqual([...alone], [...all.subarray(4)]);
      const other = await sampler.sample({ ...request([2]), seed: 12 });
      assert.notDeepEqual([...other], [...alone]);
    });

    it("takes other steps, another strength and another start on request", async () => {
      const changes = { steps: 9, guidance: 0.5, start: Float32Array.of(1, -2) };
      close(await sampler.sample(request([1], changes)), solved(1, [1, -2], 9, 0.5));
      close(await sampler.sample(request([1])), solved(1, start(1, 11), 5, 2.5));
    });

    it("draws anew in every step", async () => {
      const walk = await openSampler(compiled.model, "walk", programs, set, 2);
      const found = await walk.sample({ inputs: {}, seed: 5, rows: [6, 7], start: new Float32Array(4) });
      const expected = [6, 7].flatMap((row) => {
        const sum = [0, 0];
        for (let step = 0; step < 3; step++) {
          const drawn = new Float64Array(2);
          drawInto("normal", { seed: 5, step, row, key: fnv1a("jump") }, drawn, 0, 2);
          for (const axis of [0, 1]) sum[axis]! += drawn[axis]! / 3;
        }
        return sum;
      });
      close(found, expected);
      walk.free();
    });

    it("says what does not fit", async () => {
      const told = async (changes: Partial<SampleRequest>, message: RegExp) => {
        await assert.rejects(sampler.sample({ ...request([0]), ...changes }), (error) => {
          assert.ok(error instanceof SamplingError);
          assert.match(error.message, message);
          return true;
        });
      };
      const { inputs } = request([0]);
      await told(
        { inputs: { ...inputs, x: new Float32Array(2) } },
        /takes no "x"; it takes "words", "words.mask", "hint"/,
      );
      await told({ inputs: { words: inputs.words! } }, /has no "hint"/);
      await told({ inputs: { ...inputs, hint: new Float32Array(4) } }, /"hint" has 4 numbers, but 3 are needed/);
      await told({ inputs: { ...inputs, hint: new Int32Array(3) } }, /"hint" is f32, but was given in a Int32Array/);
      await told({ rows: [0, 1, 2, 3, 4] }, /has 5 rows, but the sampler takes 1 to 4 of them/);
      await told({ steps: 0 }, /0 is no number of steps/);
      await told({ start: new Float32Array(3) }, /the start has 3 numbers, but 2 are needed/);
      await told({ signal: AbortSignal.abort() }, /stopped after 0 of 5 steps/);
      await assert.rejects(
        openSampler(compiled.model, "drew", programs, set, 4),
        /no `sample` block "drew"; it has draw, walk/,
      );
    });
  });
}
