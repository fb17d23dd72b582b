import { writeFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import { targetOf } from "../../api/devices.js";
import { compile } from "../../api/load.js";
import { lower, type PassName, type Purpose } from "../../compile.js";
import type { Graph } from "../../graph/graph.js";
import { printGraph } from "../../graph/text.js";
import { printKernels } from "../../kernels/print.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { drawGraph, drawKernels } from "../graph-picture.js";
import { parseSettings } from "../settings.js";

interface Options {
  file: string;
  fn: string;
  model: string | undefined;
  set: string[];
  after: PassName | "fused";
  format: "text" | "svg" | "html";
  batch: number;
  gradients: boolean;
  out: string | undefined;
}

export const graphCommand: CommandModule<object, Options> = {
  command: "graph <file> <fn>",
  describe: "Show the dataflow graph of an entry point after a pass",
  builder: (parser) =>
    parser
      .positional("file", { type: "string", demandOption: true, describe: "The .weft file" })
      .positional("fn", { type: "string", demandOption: true, describe: "Name of an entry point" })
      .option("model", { type: "string", describe: "Which model, when the file has several" })
      .option("set", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "NAME=VALUE of a model parameter",
      })
      .option("after", {
        choices: ["traced", "batched", "differentiated", "optimised", "fused"] as const,
        default: "traced" as const,
        describe: "The pass whose result is shown",
      })
      .option("format", {
        choices: ["text", "svg", "html"] as const,
        default: "text" as const,
        describe: "How it is shown",
      })
      .option("batch", { type: "number", default: 2, describe: "Instances" })
      .option("gradients", {
        type: "boolean",
        default: false,
        describe: "With the gradients of all trained tensors (always so after differentiated)",
      })
      .option("out", { type: "string", describe: "Write to this file instead of stdout" }),
  async handler({ file, fn, model: name, set, after, format, batch, gradients, out }) {
    const { model } = await compile(file, {
      ...(name === undefined ? {} : { model: name }),
      settings: parseSettings(set),
    });
    if (!model.entryPoints.includes(fn)) {
      throw new CommandError(
        `model ${model.name} has no entry point "${fn}"; it has ${model.entryPoints.join(", ")}`,
        exitCodes.usage,
      );
    }
    const graphs = new Map<string, Graph>();
    const purpose: Purpose =
      gradients || after === "differentiated"
        ? { kind: "gradients", withRespectTo: trainedLeaves(model.entryPoint(fn).graph) }
        : { kind: "forward" };
    const lowered = lower(model, fn, {
      purpose,
      batch,
      target: targetOf("cpu"),
      observe: (pass, graph) => void graphs.set(pass, graph),
    });
    const list = lowered.lists[0]!;
    const text =
      format === "text"
        ? after === "fused"
          ? printKernels(list)
          : printGraph(graphs.get(after)!)
        : after === "fused"
          ? await drawKernels(list, format)
          : await drawGraph(graphs.get(after)!, format);
    if (out === undefined) process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    else writeFileSync(out, text);
  },
};

function trainedLeaves(graph: Graph): string[] {
  return graph.nodes.flatMap((node) =>
    node.primitive === "parameter" && node.attributes.dtype === "f32" ? [node.attributes.path] : [],
  );
}
