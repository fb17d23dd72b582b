import assert from "node:assert/strict";
import type { Launch, Program } from "../../codegen/program.js";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import { validateProgram } from "../../runtime/validate.js";
import { requireBindable } from "../../runtime/webgpu/chunks.js";
import { pick, type Random, randomFrom } from "../kernels/random-contraction.js";
import { programsOf } from "./programs.js";

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = Number(process.env.WEFT_FUZZ ?? 1000);

const programs = programsOf(wgslProgram);

/** What a program is after it was written to a file and read back, as anything. */
// biome-ignore lint/suspicious/noExplicitAny: that is what it is.
const readBack = (program: Program): any => JSON.parse(JSON.stringify(program));

const validate = (program: unknown): void => validateProgram(program as Program, "WebGPU", "wgsl");

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  3,
  2 ** 31,
  2 ** 53,
  1e300,
  "",
  "constructor",
  "length",
  "__proto__",
  "parameters",
  "write",
  "f16",
  "f64",
  [],
  {},
  [[]],
  [null],
  { name: "x" },
];

/** Changes one part of a value anywhere inside it: to something else, to nothing, to that of a neighbour, or to several of itself. */
function mutate(value: unknown, random: Random): void {
  const places: (readonly [Record<string, unknown>, string])[] = [];
  const visit = (one: unknown): void => {
    if (typeof one !== "object" || one === null) return;
    for (const key of Object.keys(one)) {
      places.push([one as Record<string, unknown>, key]);
      visit((one as Record<string, unknown>)[key]);
    }
  };
  visit(value);
  const [parent, key] = pick(random, places);
  const kind = Math.floor(random() * 5);
  if (kind === 0) delete parent[key];
  else if (kind === 1) {
    const [other, name] = pick(random, places);
    parent[key] = structuredClone(other[name]);
  } else if (kind === 2 && typeof parent[key] === "number")
    parent[key] = (parent[key] as number) * pick(random, [-1, 2, 256, 2 ** 40]);
  else if (kind === 3 && Array.isArray(parent[key])) parent[key] = [...(parent[key] as []), ...(parent[key] as [])];
  else parent[key] = structuredClone(pick(random, values));
}

describe("programs of strangers", () => {
  it("are refused with a plain Error, or can be bound, whatever is changed in them", () => {
    const random = randomFrom(seed);
    const makers = Object.values(programs).map((make) => () => readBack(make(64)));
    let accepted = 0;
    for (let number = 0; number < count; number++) {
      const program = pick(random, makers)();
      for (let change = 0; change <= number % 3; change++) mutate(program, random);
      const before = performance.now();
      try {
        validate(program);
        requireBindable(program, 128 << 20);
        accepted++;
      } catch (error) {
        const what = `program ${number} of seed ${seed}: ${(error as Error).stack}`;
        assert.equal((error as Error).constructor, Error, what);
        assert.match((error as Error).message, /^[A-Z"].{8}/, what);
      }
      assert.ok(performance.now() - before < 1000, `program ${number} of seed ${seed} takes long to check`);
    }
    assert.ok(accepted > count / 20 && accepted < count / 2, `${accepted} of ${count} were accepted`);
  });

  const first = (change: (launch: Launch) => Partial<Record<keyof Launch, unknown>>) => (program: Program) => ({
    step: program.step.map((launch) => ({ ...launch, ...change(launch) })),
  });
  const cases: readonly (readonly [string, RegExp, (program: Program) => Partial<Record<keyof Program, unknown>>])[] = [
    ["without kernels", /The program's kernels is undefined, not a list$/, () => ({ kernels: undefined })],
    [
      "with a kernel called by a text",
      /The program's step\[0\]\.kernel is "map", not a whole/,
      first(() => ({ kernel: "map" })),
    ],
    ["with half a unit", /The program's step\[0\]\.units is 0\.5, not a whole/, first(() => ({ units: 0.5 }))],
    ["with more units than can be counted", /has 4294967296 units/, first(() => ({ units: 2 ** 32 }))],
    ["with a cost beyond all bounds", /step\[0\]\.cost is null, not a finite cost/, first(() => ({ cost: Infinity }))],
    ["with a number left out", /step\[0\]\.floats\[0\] is null, not a number/, first(() => ({ floats: [Number.NaN] }))],
    [
      "with a tensor of less than no elements",
      /inputs\[0\]\.shape\[0\] is -2, not an extent/,
      ({ inputs }) => ({ inputs: [{ ...inputs[0], shape: [-2, -2] }] }),
    ],
    [
      "with a parameter of no known type",
      /places\[0\]\.dtype is "f64", not a dtype/,
      ({ parameters }) => ({ parameters: { ...parameters, places: [{ ...parameters.places[0], dtype: "f64" }] } }),
    ],
    [
      "with a scalar of another type",
      /The program's scalars\[0\]\.dtype is "bool", not u32/,
      ({ segments }) => ({
        segments: { ...segments, scalars: 1 },
        scalars: [{ name: "seed", dtype: "bool", offset: 0 }],
      }),
    ],
    [
      "with more optimiser states than can be counted",
      /Segment optimizer has 1099511627776 bytes, more than 16 times the parameters' 512/,
      ({ segments }) => ({ segments: { ...segments, optimizer: 2 ** 40 } }),
    ],
    [
      "with more memory than there is anywhere",
      /Segment scratch has 4503599627370496 bytes/,
      ({ segments }) => ({ segments: { ...segments, scratch: 2 ** 52 } }),
    ],
    [
      "with an input between two words",
      /Input "x" stands at byte 2, no multiple of 256/,
      ({ inputs, segments }) => ({
        inputs: [{ ...inputs[0], offset: 2 }],
        segments: { ...segments, inputs: 1024 },
      }),
    ],
    [
      "that changes outputs when it prepares",
      /prepares, but writes to segment outputs/,
      ({ step }) => ({ prepare: step }),
    ],
  ];
  for (const [what, message, change] of cases) {
    it(`are refused ${what}`, () => {
      const program = programs.sum();
      assert.throws(() => validate(readBack({ ...program, ...change(program) } as Program)), message);
    });
  }

  it("are taken as they were written to a file", () => {
    for (const make of Object.values(programs)) validate(readBack(make(64)));
  });
});
