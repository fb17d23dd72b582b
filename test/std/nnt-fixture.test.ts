import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { check } from "../../dsl/check/check.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { readSafetensors } from "../../runtime/tensors/safetensors.js";
import { type BuiltModel, buildModel } from "../../src/build/build.js";
import { adaptationAt, slotsOf } from "../../src/build/slots.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { copyInto } from "../../src/graph/rewrite.js";
import { batch } from "../../src/passes/batch.js";
import { differentiate, gradientName } from "../../src/passes/differentiate.js";
import { textHost } from "../build/support.js";
import { publishedName } from "./published.js";

const folder = new URL("../fixtures/nnt_flat/", import.meta.url);
const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const text = (name: string) => readFileSync(new URL(name, folder), "utf8");
const tensors = (name: string) => {
  const file = readSafetensors(bytes(`${name}.safetensors`), name);
  return new Map(
    [...file.entries.keys()].map((key) => [key, Float64Array.from(file.tensor(key).data as Float32Array)]),
  );
};
const config = JSON.parse(text("config.json")) as {
  f32_err: Record<"outputs" | "grads", Record<string, [number, number]>>;
};

async function fixture(): Promise<BuiltModel> {
  const source = text("nnt_flat.weft");
  const checked = await check("nnt_flat.weft", textHost({ "nnt_flat.weft": source }));
  assert.deepEqual(checked.diagnostics, []);
  return buildModel(checked.program!);
}

/** The fixture's names of slots, by ours: `layers.0.qkv.A` is `model.layers.0.self_attn.qkv_proj.lora_A`. */
const modules: Readonly<Record<string, string>> = {
  qkv: "self_attn.qkv_proj",
  o: "self_attn.o_proj",
  down: "mlp.down_proj",
  "experts.0": "mlp.experts.w1",
};

function slotName(name: string): string {
  const [, layer, site, slot] = /^layers\.(\d+)\.(.*)\.([AB])$/.exec(name)!;
  return `model.layers.${layer}.${modules[site!]}.lora_${slot}`;
}

/** `operators` for two instances, cut into slots. */
function slotGraph(model: BuiltModel): Graph {
  const { graph } = model.entryPoint("operators");
  const builder = new GraphBuilder();
  const values = copyInto(builder, graph, () => undefined);
  const tokens = values[graph.outputs[0]!.value]!;
  for (const { name, value } of slotsOf(builder, adaptationAt(model, "memory"), tokens)) {
    builder.output(slotName(name), value);
  }
  return batch(builder.finish(), 2);
}

function assertNear(found: Float64Array, expected: Float64Array, tolerance: number, name: string): void {
  assert.equal(found.length, expected.length, name);
  const worst = found.reduce((error, value, place) => Math.max(error, Math.abs(value - expected[place]!)), 0);
  assert.ok(worst <= tolerance, `${name}: differs by ${worst}, allowed ${tolerance}`);
}

describe("the NNT with flat tokens", () => {
  it("generates the slots that an independent implementation generates", async () => {
    const model = await fixture();
    const params = tensors("params");
    const stored = new Map(
      model.parameters.map(({ path }) => [path, params.get(publishedName(path)) ?? new Float64Array(0)]),
    );
    const inputs = tensors("inputs");
    const results = evaluate(slotGraph(model), environmentOf({ inputs, stored }));
    const outputs = tensors("outputs");
    assert.equal(results.size, 24);
    for (const [name, { data }] of results) assertNear(data, outputs.get(name)!, 2e-6, name);
  });

  it("has the gradients that an independent implementation has", async () => {
    const model = await fixture();
    const params = tensors("params");
    const inputs = tensors("inputs");
    const grads = tensors("grads");
    const graph = slotGraph(model);
    const generator = model.parameters.filter(({ path }) => path.startsWith("generator."));
    const names = ["cond", ...generator.map(({ path }) => path)];
    assert.equal(names.length, grads.size);
    const differentiated = differentiate(graph, {
      outputs: graph.outputs.map(({ name }) => ({ name, cotangent: `cotangent.${name}` })),
      withRespectTo: names,
    });
    const stored = new Map(generator.map(({ path }) => [path, params.get(publishedName(path))!]));
    const results = evaluate(differentiated, environmentOf({ inputs, stored }));
    for (const name of names) {
      const published = name === "cond" ? name : publishedName(name);
      const [, largest] = config.f32_err.grads[published] ?? [0, 1];
      assertNear(results.get(gradientName(name))!.data, grads.get(published)!, 1e-6 * Math.max(1, largest), published);
    }
  });
});
