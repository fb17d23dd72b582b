import assert from "node:assert/strict";
import { describeTarget } from "../../runtime/cpu/target.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { type OpenDevice, openDevice } from "../../src/api/devices.js";
import { runEntry } from "../../src/api/run.js";
import type { BuiltModel } from "../../src/build/build.js";
import { lower } from "../../src/compile.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import { verify } from "../../src/graph/verify.js";
import { memorySource, nodeHost, train, trainingPrograms } from "../../src/index.js";
import { writesOf } from "../../src/kernels/access.js";
import { batch } from "../../src/passes/batch.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { leafValues } from "../../src/passes/leaves.js";
import { simplify } from "../../src/passes/simplify.js";
import { temporaryFolder } from "../cli/support.js";
import { describeOnDevices, targetOf } from "../codegen/devices.js";
import { sourceOf } from "../graphs/source.js";
import { buildDecoder } from "./model.js";

type Values = ReadonlyMap<string, Float64Array>;

/** Random numbers for all leaves. */
function leavesOf(graph: Graph, seed: number): Map<string, Float64Array> {
  const s = sourceOf(seed);
  return new Map(
    [...leafValues(graph)].map(([name, value]) => [
      name,
      s.numbers(elementCount(graph.types[value]!.shape), -0.7, 0.7),
    ]),
  );
}

const results = (graph: Graph, leaves: Values): Values =>
  new Map(
    [...evaluate(graph, environmentOf({ inputs: leaves, stored: leaves }))].map(([name, { data }]) => [name, data]),
  );

/** Outputs and gradients by all leaves, of a sum weighed by `cotangent.output`. */
function withGradients(graph: Graph): Graph {
  const withRespectTo = [...leafValues(graph).keys()];
  const outputs = [{ name: "output", cotangent: "cotangent.output" }];
  const differentiated = simplify(differentiate(simplify(graph), { outputs, withRespectTo }));
  verify(differentiated);
  return differentiated;
}

function assertClose(actual: Values, expected: Values, tolerance: number): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, data] of expected) {
    data.forEach((value, place) => {
      const found = actual.get(name)![place]!;
      assert.ok(
        Math.abs(found - value) <= tolerance * Math.max(1, Math.abs(value)),
        `${name}[${place}]: ${found}, not ${value}`,
      );
    });
  }
}

const instances = 3;

describe("a decoder whose experts are adapted", () => {
  let model: BuiltModel;
  before(async () => {
    model = await buildDecoder();
  });

  for (const [what, options] of [
    ["by an operator of each instance", {}],
    ["by one operator for all instances", { sharedInputs: new Set(["t"]) }],
  ] as const) {
    const batched = (entry: string) =>
      withGradients(batch(simplify(model.entryPoint(entry).graph), instances, options));

    it(`${what} computes what it computes with every expert run on every row, forward and backward`, () => {
      const [sparse, dense] = [batched("sparse"), batched("dense")];
      const leaves = leavesOf(dense, 4);
      assertClose(results(sparse, leaves), results(dense, leaves), 1e-9);
    });

    it(`${what} has the gradients that finite differences have`, () => {
      const graph = batched("sparse");
      const leaves = leavesOf(graph, 4);
      const found = results(graph, leaves);
      const cotangent = leaves.get("cotangent.output")!;
      const value = (at: Values) =>
        results(graph, at)
          .get("output")!
          .reduce((sum, y, place) => sum + y * cotangent[place]!, 0);
      for (const [name, data] of leaves) {
        const gradient = found.get(`gradient:${name}`);
        if (!gradient) continue;
        const direction = sourceOf(9).numbers(data.length, -1, 1);
        const expected = gradient.reduce((sum, slope, place) => sum + slope * direction[place]!, 0);
        const step = 1e-6;
        const moved = (by: number) =>
          value(new Map([...leaves, [name, data.map((number, place) => number + by * direction[place]!)]]));
        const slope = (moved(step) - moved(-step)) / (2 * step);
        assert.ok(
          Math.abs(slope - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
          `${name}: ${expected}, but ${slope}`,
        );
      }
    });
  }

  it("runs few products by group, and copies no weight for a row", () => {
    const graph = batch(simplify(model.entryPoint("sparse").graph), instances);
    const grouped = graph.nodes.filter(({ primitive }) => primitive === "grouped_contraction");
    assert.equal(
      grouped.length,
      2 * 2 * 3,
      "the stored map and both factors of its change, for up and down, in both layers",
    );
    const rows = instances * 5 * 2;
    for (const { shape } of graph.types) assert.ok(shape[0] !== rows || elementCount(shape) <= rows * 6, `${shape}`);
  });
});

describe("the kernels of a decoder with experts", () => {
  it("read stored tensors, slots and repeated rows where they are", async () => {
    const model = await buildDecoder();
    const options = { target: describeTarget(), batch: instances } as const;
    for (const purpose of [
      { kind: "forward" },
      { kind: "train", stage: model.stages.find(({ name }) => name === "all")! },
    ] as const) {
      const { lists } = lower(model, "loss", { ...options, purpose });
      const copies = lists[0]!.kernels.filter(({ label }) => label === "copy");
      const dtypes = copies.flatMap((kernel) => writesOf(kernel)).map(({ buffer }) => lists[0]!.buffers[buffer]!.dtype);
      assert.ok(!dtypes.includes("f32"), `${dtypes}`);
    }
  });
});

describeOnDevices("a decoder with experts", (device) => {
  const sizes: readonly Readonly<Record<string, number>>[] = [
    {},
    { n: 9, dim: 20, hidden: 50, count: 4, chosen: 1, rank: 4 },
  ];
  for (const settings of sizes) {
    it(`computes what the interpreter computes, forward and backward (${JSON.stringify(settings)})`, async () => {
      const model = await buildDecoder(settings);
      const { inputs, outputs } = model.entryPoint("sparse");
      const s = sourceOf(5);
      const floats = (shape: readonly number[]) => {
        const data = Float32Array.from(s.numbers(elementCount(shape), -0.7, 0.7));
        return { dtype: "f32" as const, shape, data };
      };
      const request = {
        entry: "sparse",
        parameters: new Map(model.parameters.map(({ path, shape }) => [path, floats(shape)])),
        inputs: new Map(inputs.map(({ name, shape }) => [name, floats([instances, ...shape])])),
        gradients: ["x", "t", "layers.0.mixture.experts.1.up.weight", "layers.1.mixture.experts.2.down.bias"],
        cotangents: new Map([["output", floats([instances, ...outputs[0]!.shape])]]),
      };
      const compiled = { model, sources: new Map([["decoder", JSON.stringify(settings)]]), warnings: [] };
      const reference = await openDevice("reference");
      const expected = await runEntry(compiled, reference, request);
      await reference.device.close();
      const found = await runEntry(compiled, { device: device(), target: targetOf(device()) }, request);
      assert.equal(found.size, 5);
      for (const [name, { data }] of expected) {
        const numbers = Array.from(data, Number);
        const tolerance = 2e-5 * numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 1);
        numbers.forEach((number, place) => {
          const actual = Number(found.get(name)!.data[place]);
          assert.ok(Math.abs(actual - number) <= tolerance, `${name}[${place}]: ${actual}, not ${number}`);
        });
      }
    });
  }
});

describe("a decoder with experts on the CPU", function () {
  this.timeout(120_000);
  let cpu: OpenDevice;
  before(async () => {
    cpu = await openDevice("cpu", { threads: 2 });
  });
  after(() => cpu.device.close());

  for (const stage of ["all", "parts"]) {
    it(`trains ${stage} as with every expert run on every row`, async () => {
      const model = await buildDecoder();
      const s = sourceOf(3);
      const column = (shape: readonly number[]) => {
        const data = Float32Array.from(s.numbers(24 * elementCount(shape), -0.7, 0.7));
        return { dtype: "f32" as const, shape, data };
      };
      const { inputs } = model.entryPoint("loss");
      const columns = Object.fromEntries(inputs.map(({ name, shape }) => [name, column(shape)]));
      const programs = trainingPrograms({ model, sources: new Map([["decoder", "train"]]), warnings: [] }, cpu);
      const trained = async (name: string) => {
        const folder = await temporaryFolder();
        const data = [memorySource("rows", columns)];
        const { parameters } = await train({ model, stage: name, seed: 0, folder, host: nodeHost(), programs, data });
        const values = new Map<string, number[]>();
        for (const { path } of model.parameters) values.set(path, Array.from(await parameters.read(path), Number));
        parameters.free();
        return values;
      };
      const [sparse, dense] = [await trained(stage), await trained(`${stage}_dense`)];
      for (const [path, numbers] of dense) {
        numbers.forEach((number, place) => {
          const found = sparse.get(path)![place]!;
          assert.ok(Math.abs(found - number) <= 1e-4, `${path}[${place}]: ${found}, not ${number}`);
        });
      }
    });
  }
});
