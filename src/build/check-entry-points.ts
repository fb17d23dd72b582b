/** What is wrong with a model's entry points, and with what its stages ask of them. */
import type { Diagnostic } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import { isFloat } from "../graph/dtype.js";
import { sameShape } from "../graph/shape.js";
import { Reports } from "./context.js";
import type { EntryPoint, Model } from "./model.js";
import { isBelow } from "./parameter-layout.js";
import { secondOrderErrors } from "./second-order.js";
import { formatTensor } from "./values.js";

/** Traces every entry point and returns what is wrong with them; empty when all is well. */
export function checkEntryPoints(model: Model): readonly Diagnostic[] {
  const reports = new Reports();
  for (const name of model.entryPoints) reports.collect(() => model.entryPoint(name));
  for (const { on, batch } of model.evaluations) reports.collect(() => model.entryPoint(on, batch));
  for (const { name: stage, on: name, span, update, batch } of model.stages) {
    const trained = model.parameters.filter(({ path, storage }) => storage === "param" && isBelow(path, update));
    const entry = reports.collect(() => model.entryPoint(name, batch));
    if (!entry) continue;
    const { outputs, graph } = entry;
    const paths = new Set(trained.map(({ path }) => path));
    const reached = graph.nodes.some((node) => node.primitive === "parameter" && paths.has(node.attributes.path));
    for (const error of secondOrderErrors(entry, [...paths], { name: stage, span })) reports.add(error);
    if (!reached) reports.add(diagnose(messages.updateNotReached, span, { name, stage, update }));
    if (outputs.length === 1 && outputs[0]!.shape.length === 0) continue;
    const found = describeOutputs(entry);
    reports.add(diagnose(messages.notALoss, span, { name, stage, found }));
  }
  for (const { name: stage, mean: name, into, batch, span } of model.collections) {
    const entry = reports.collect(() => model.entryPoint(name, batch));
    const place = model.parameters.find(({ path }) => path === into);
    if (!entry || !place) continue;
    const [output, ...others] = entry.outputs;
    if (output && others.length === 0 && isFloat(output.dtype) && sameShape(output.shape, place.shape)) continue;
    const found = describeOutputs(entry);
    const values = { stage, name, found, path: into, wanted: formatTensor(place) };
    reports.add(diagnose(messages.collectMismatch, span, values));
  }
  for (const { name } of model.samplings) reports.collect(() => model.entryPoint(name));
  return reports.diagnostics;
}

const describeOutputs = ({ outputs }: EntryPoint): string =>
  outputs.length === 1 ? formatTensor(outputs[0]!) : `a tuple of ${outputs.length}`;
