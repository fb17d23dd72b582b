import type { CommandModule } from "yargs";
import { render } from "../../../dsl/diagnostics/render.js";
import { environmentOf } from "../../../runtime/reference/environment.js";
import { evaluate } from "../../../runtime/reference/interpreter.js";
import { textTable } from "../../../runtime/report/page.js";
import { SourcesError } from "../../api/load.js";
import { checkEntryPoints } from "../../build/check-entry-points.js";
import { type AdaptationDescription, describeModel, type ModelDescription } from "../../build/describe.js";
import type { Model } from "../../build/model.js";
import { examineStarts, startErrors, type ZeroStartReport } from "../../build/zero-start.js";
import { elementCount, formatShape } from "../../graph/shape.js";
import { compileNamed, type ModelFlags, wholeNumber, withModelFlags } from "../model-flags.js";

interface Options extends ModelFlags {
  depth: number;
  json: boolean;
}

export const checkCommand: CommandModule<object, Options> = {
  command: "check <file>",
  describe: "Check a file; show shapes, parameters, token grids and zero start",
  builder: (parser) =>
    withModelFlags(parser)
      .option("depth", {
        type: "number",
        default: 2,
        requiresArg: true,
        describe: "Levels of modules to list",
        coerce: wholeNumber("depth", 0),
      })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON object" }) as never,
  async handler(options) {
    const { depth, json } = options;
    const { model, sources, warnings } = await compileNamed(options);
    const errors = checkEntryPoints(model);
    if (errors.length > 0) throw new SourcesError(errors, sources);
    const starts = examineStarts(model, (graph, leaves) => {
      const values = evaluate(graph, environmentOf({ inputs: leaves, stored: leaves }));
      return new Map([...values].map(([output, tensor]) => [output, tensor.data]));
    });
    const wrong = startErrors(model, starts);
    if (wrong.length > 0) throw new SourcesError(wrong, sources);
    if (warnings.length > 0) process.stderr.write(render(warnings, sources, { color: process.stderr.isTTY === true }));
    const description = describeModel(model, depth);
    process.stdout.write(
      json ? `${JSON.stringify({ ...description, starts })}\n` : show(description, ownTensors(model), starts),
    );
  },
};

const count = (value: number): string => value.toLocaleString("en-US");

/** Rows for tensors of the model itself, which belong to no module. */
function ownTensors({ parameters }: Model): string[][] {
  return parameters
    .filter(({ path }) => !path.includes("."))
    .map(({ path, shape, storage }) => {
      const numbers = count(elementCount(shape));
      return [path, formatShape(shape), "1", ...(storage === "frozen" ? ["0", numbers] : [numbers, "0"])];
    });
}

function show(model: ModelDescription, own: readonly string[][], starts: readonly ZeroStartReport[]): string {
  const modules = model.modules.map((module) => [
    `${"  ".repeat(module.depth)}${module.path}`,
    module.kind,
    count(module.tensors),
    count(module.parameters),
    count(module.frozen),
  ]);
  const stored = textTable(["module", "kind", "tensors", "parameters", "frozen"], [...modules, ...own]);
  const sections = [
    `model ${model.name}${Object.entries(model.settings)
      .map(([key, value]) => `  ${key}=${value}`)
      .join("")}`,
    `${modules.length + own.length > 0 ? `${stored}\n\n` : ""}${count(model.parameters)} parameters in all, ${count(model.frozen)} of them frozen for good`,
    ...model.adaptations.map(showAdaptation),
  ];
  if (starts.length > 0) {
    sections.push(
      textTable(
        ["zero start of", "interface", "sites", "result"],
        starts.map(({ adaptation, site, method, interface: name, sites, result, difference }) => [
          `${adaptation}: ${site}.${method}`,
          name,
          String(sites),
          difference === undefined ? result : `${result} (largest difference ${difference.toExponential(1)})`,
        ]),
      ),
    );
  }
  if (model.entryPoints.length > 0) {
    sections.push(
      model.entryPoints.map(({ name, signature, nodes }) => `fn ${name}${signature}   ${nodes} nodes`).join("\n"),
    );
  }
  if (model.stages.length > 0) {
    sections.push(
      textTable(
        ["stage", "on", "updates", "optimizer", "batch", "steps", "after"],
        model.stages.map(({ name, on, update, optimizer, batch, accumulate, steps, after }) => [
          name,
          on,
          update.join(", "),
          `${optimizer.kind}(${optimizer.learningRate})`,
          accumulate > 1 ? `${batch} x ${accumulate}` : String(batch),
          String(steps),
          after ?? "",
        ]),
      ),
    );
  }
  if (model.collections.length > 0) {
    sections.push(
      textTable(
        ["collected", "mean of", "into", "data", "batch", "after"],
        model.collections.map(({ name, mean, into, data, batch, after }) => [
          name,
          mean,
          into,
          data.map((part) => part.name).join(", "),
          String(batch),
          after ?? "",
        ]),
      ),
    );
  }
  if (model.evaluations.length > 0) {
    sections.push(
      textTable(
        ["evaluation", "on", "after", "data", "batch", "every"],
        model.evaluations.map(({ name, on, after, data, batch, every }) => [
          name,
          on,
          after ?? "",
          data.map((part) => part.name).join(", "),
          String(batch),
          every === 0 ? "" : String(every),
        ]),
      ),
    );
  }
  if (model.samplings.length > 0) {
    sections.push(
      textTable(
        ["sampled", "once", "step", "unguided", "guidance", "solver", "after"],
        model.samplings.map(({ name, once, step, unguided, guidance, solver, after }) => [
          name,
          once.join(", "),
          step,
          unguided ?? "",
          guidance === undefined ? "" : String(guidance),
          `${solver.kind}(${solver.steps})`,
          after ?? "",
        ]),
      ),
    );
  }
  return `${sections.join("\n\n")}\n`;
}

function showAdaptation(adaptation: AdaptationDescription): string {
  const { path, layout, layers, tokens, rows, columns, numbers, capacity, kinds, places } = adaptation;
  const padding = capacity - numbers;
  return [
    `${path}: ${layers} layers x ${tokens} tokens x ${rows} x ${columns}  (${layout}; ${count(numbers)} generated numbers${padding > 0 ? `, ${count(padding)} padding` : ""})`,
    textTable(
      ["tokens", "slot", "site", "copies", "shape", "count"],
      places.map(({ site, slot, copies, modules, shape, start, count: length }) => [
        `${start}-${start + length - 1}`,
        slot,
        site,
        modules === 1 ? String(copies) : `${copies}, each for ${modules} modules`,
        shape,
        String(length),
      ]),
    ),
    textTable(
      ["tokens", "kind", "starts as"],
      kinds.map(({ name, start, count: length, starts }) => [`${start}-${start + length - 1}`, name, starts]),
    ),
  ].join("\n\n");
}
