import { environmentOf } from "../../runtime/reference/environment.js";
import type { PrimitiveName } from "../../src/primitives/names.js";
import { randomGraph } from "../graphs/random.js";
import { sourceOf } from "../graphs/source.js";
import { graphOf } from "../primitives/application.js";
import { type Case, cases } from "../primitives/cases.js";
import { describeOnDevices, type Language } from "./devices.js";
import { assertDeviceAgrees } from "./graph-runs.js";

/** Random graphs to compare; the software adapter takes long to compile. */
const counts: Readonly<Record<Language, number>> =
  process.env.WEFT_GRAPHS === undefined
    ? { C: 60, WGSL: 10 }
    : { C: Number(process.env.WEFT_GRAPHS), WGSL: Number(process.env.WEFT_GRAPHS) };
const first = Number(process.env.WEFT_SEED ?? 0);

/** Leaves have no operands to be tried on; random graphs have them all. */
const leaves: readonly PrimitiveName[] = ["input", "parameter", "range", "scalar", "instance_index"];

describeOnDevices("graphs", (device, language) => {
  const count = counts[language];
  for (const name of Object.keys(cases) as PrimitiveName[]) {
    if (leaves.includes(name)) continue;
    it(`compute ${name} as the interpreter does`, async () => {
      let tried = 0;
      for (let seed = 0; tried < 3; seed++) {
        const made = cases[name](sourceOf(seed)) as Case<PrimitiveName>;
        const types = made.operands.map(({ type }) => type);
        const { graph } = graphOf(types, (builder, inputs) => builder.addAll(name, inputs, made.attributes as never));
        // f64 exists only in the interpreter.
        if (graph.types.some(({ dtype }) => dtype === "f64")) continue;
        tried++;
        const inputs = new Map(
          made.operands.map((operand, place) => [`x${place}`, Float64Array.from(operand.draw(), exact)]),
        );
        await assertDeviceAgrees(device(), graph, environmentOf({ inputs }));
      }
    });
  }

  it(`compute ${count} random graphs as the interpreter does`, async function () {
    this.timeout(1_200_000);
    let next = first;
    const check = async () => {
      while (next < first + count) {
        const seed = next++;
        const { graph, environment, scalars } = randomGraph(seed, { nodes: 8 + (seed % 25), updates: seed % 2 === 1 });
        try {
          await assertDeviceAgrees(device(), graph, environment(), scalars);
        } catch (error) {
          throw new Error(`seed ${seed} (WEFT_SEED): ${(error as Error).message}`, { cause: error });
        }
      }
    };
    // Side by side, because most of the time is the compilers'.
    await Promise.all([check(), check(), check()]);
  });
});

/** Numbers that f32 holds. */
const exact = (value: number): number => Math.fround(value);
