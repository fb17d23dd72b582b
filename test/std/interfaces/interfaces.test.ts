import { strict as assert } from "node:assert";
import { environmentOf } from "../../../runtime/reference/environment.js";
import { evaluate } from "../../../runtime/reference/interpreter.js";
import { initialValue } from "../../../runtime/training/initialize.js";
import { type InterfaceDescription, standardInterfaces } from "../../../src/api/interfaces.js";
import type { BuiltModel } from "../../../src/build/build.js";
import { examineStarts, startErrors } from "../../../src/build/zero-start.js";
import { isFloat } from "../../../src/graph/dtype.js";
import type { Graph } from "../../../src/graph/graph.js";
import { elementCount } from "../../../src/graph/shape.js";
import { batch } from "../../../src/passes/batch.js";
import { differentiate } from "../../../src/passes/differentiate.js";
import { leafValues } from "../../../src/passes/leaves.js";
import { simplify } from "../../../src/passes/simplify.js";
import { build, evaluateLeaves } from "../../build/support.js";
import { cases } from "./cases.js";
import { buildTrial, imports, interfaces, numberOf, numbersFor, type Trial, trialOf, wave } from "./trial.js";

const resultOf = (graph: Graph, { numbers, stored, tokens }: Trial, cotangent: Float64Array = new Float64Array()) =>
  evaluate(
    graph,
    environmentOf({
      inputs: new Map([
        ["x", Float64Array.from(numbers.x)],
        ["t", tokens],
        ["cotangent.output", cotangent],
      ]),
      stored,
    }),
  );

const gradientsOf = (graph: Graph, withRespectTo: readonly string[]): Graph =>
  differentiate(simplify(graph), { outputs: [{ name: "output", cotangent: "cotangent.output" }], withRespectTo });

const floatLeaves = (graph: Graph): string[] =>
  [...leafValues(graph)].flatMap(([name, value]) => (isFloat(graph.types[value]!.dtype) ? [name] : []));

/** A trial with one of its leaves moved. */
function moved(trial: Trial, leaf: string, direction: readonly number[], distance: number): Trial {
  const move = (data: ArrayLike<number>) =>
    Float64Array.from(data, (number, place) => number + distance * direction[place]!);
  if (leaf === "x") return { ...trial, numbers: { ...trial.numbers, x: [...move(trial.numbers.x)] } };
  if (leaf === "t") return { ...trial, tokens: move(trial.tokens) };
  return { ...trial, stored: new Map([...trial.stored, [leaf, move(trial.stored.get(leaf)!)]]) };
}

/** Shapes that have as many numbers for each of `instances` as the module's largest matrix has. */
function weightSized(graph: Graph, model: BuiltModel, instances: number): string[] {
  const matrices = model.parameters.filter(({ path, shape }) => path.startsWith("net.") && shape.length >= 2);
  const weight = Math.max(0, ...matrices.map(({ shape }) => elementCount(shape)));
  return graph.types
    .map(({ shape }) => shape)
    .filter((shape) => weight > 0 && shape.includes(instances) && elementCount(shape) >= instances * weight)
    .map((shape) => `[${shape.join(", ")}]`);
}

const instances = 7;

/** What of a module with an interface is as large as a weight for each instance, forward or backward. */
function wasted(model: BuiltModel): string[] {
  const forward = batch(simplify(model.entryPoint("adapted").graph), instances);
  const backward = simplify(gradientsOf(forward, ["t", "x"]));
  return [forward, backward].flatMap((graph) => weightSized(graph, model, instances));
}

let descriptions: readonly InterfaceDescription[];
before(async () => {
  descriptions = await standardInterfaces();
});

for (const tried of cases) {
  const { name, settings, module, shape, changes, large } = tried;
  describe(`${name}(${settings}) on ${module}`, () => {
    let model: BuiltModel;
    let trial: Trial;
    before(async () => {
      model = await trialOf(tried);
      trial = numbersFor(model, shape);
    });

    it(changes ? `changes its base at the start, since ${changes}` : "equals its base at the start", () => {
      const reports = examineStarts(model, evaluateLeaves);
      assert.ok(reports.length > 0);
      assert.deepEqual(startErrors(model, reports), []);
      const equal = reports.every(
        ({ result }) => result === "proven by substitution" || result === "checked numerically",
      );
      assert.equal(equal, changes === undefined);
    });

    it("gives what its formula gives, written out", () => {
      const { data } = resultOf(model.entryPoint("adapted").graph, trial).get("output")!;
      const expected = tried.expected(trial.numbers);
      assert.equal(data.length, expected.length);
      for (const [place, number] of expected.entries()) {
        assert.ok(Math.abs(data[place]! - number) < 1e-9, `${place}: ${data[place]} instead of ${number}`);
      }
    });

    it("has the gradients that finite differences have", () => {
      const { graph } = model.entryPoint("adapted");
      const leaves = floatLeaves(graph);
      assert.ok(leaves.includes("t") && leaves.includes("x"));
      const cotangent = Float64Array.from(wave(elementCount(graph.types[graph.outputs[0]!.value]!.shape), 3));
      const gradients = resultOf(gradientsOf(graph, leaves), trial, cotangent);
      const value = (at: Trial) =>
        resultOf(graph, at)
          .get("output")!
          .data.reduce((sum, y, place) => sum + y * cotangent[place]!, 0);
      for (const leaf of leaves) {
        const gradient = gradients.get(`gradient:${leaf}`)!.data;
        const direction = wave(gradient.length, 7);
        const expected = gradient.reduce((sum, slope, place) => sum + slope * direction[place]!, 0);
        const step = 1e-5;
        const found =
          (value(moved(trial, leaf, direction, step)) - value(moved(trial, leaf, direction, -step))) / (2 * step);
        assert.ok(
          Math.abs(found - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
          `${leaf}: ${expected}, but ${found}`,
        );
      }
    });

    it("can be one operator for all, stored, that starts as it should and has a way to go", () => {
      const stored = new Map(
        model.parameters.map((spec) => [spec.path, Float64Array.from(initialValue(spec, 5).data)] as const),
      );
      const { graph } = model.entryPoint("stored");
      const cotangent = Float64Array.from(wave(elementCount(graph.types[graph.outputs[0]!.value]!.shape), 3));
      const results = resultOf(gradientsOf(graph, ["single"]), { ...trial, stored }, cotangent);
      assert.ok(results.get("gradient:single")!.data.some((slope) => Math.abs(slope) > 1e-4));
      const base = resultOf(model.entryPoint("base").graph, { ...trial, stored }).get("output")!.data;
      const difference = results
        .get("output")!
        .data.reduce((most, y, place) => Math.max(most, Math.abs(y - base[place]!)), 0);
      if (changes === undefined) assert.ok(difference < 1e-9, `${difference}`);
      else assert.ok(difference > 1e-6);
    });

    it("generates as many numbers as it says", async () => {
      const { generates, needsWeight } = descriptions.find((described) => described.name === name)!;
      assert.equal(model.adaptations[0]!.grid.numbers, await numberOf(generates!, model));
      const { doc = "" } = interfaces.find((declaration) => declaration.name.text === name)!;
      assert.match(doc, /\([^)]*\b(19|20)\d\d/, "it says where it comes from");
      assert.equal(/; needs the weight\.$/.test(doc), needsWeight);
      assert.equal(/; does not need the weight\.$/.test(doc), !needsWeight);
    });

    it("forms nothing as large as a weight for each instance, forward or backward", async () => {
      const larger = await buildTrial(large.module, `${name}(${large.settings ?? settings})`, large.shape);
      assert.deepEqual(wasted(larger), []);
    });
  });
}

describe("the interfaces of the standard library", () => {
  it("are looked through for weights of each instance, which naive ones form", async () => {
    const naive = await build(`${imports}
interface Reweigh() on Linear {
  slot A: [2, base.in_features] = zeros()
  slot B: [base.out_features, 2] = zeros()
  forward(x) { (base with { weight: base.weight + B @ A })(x) }
}
model M() {
  net = Linear(64, 64)
  memory = adapt net with Reweigh() as Flat(1, 5)
  fn adapted(x: [2, 64], t: memory.tokens) { (net with memory(t))(x) }
}
`);
    assert.ok(wasted(naive).includes("[7, 64, 64]"));
  });

  it("are all tried", () => {
    assert.deepEqual(
      [...new Set(cases.map(({ name }) => name))].sort(),
      interfaces.map(({ name }) => name.text).sort(),
    );
  });
});
