import type { CommandModule } from "yargs";
import { WeftError } from "../../../dsl/diagnostics/diagnostic.js";
import { textTable } from "../../../runtime/report/page.js";
import {
  describeInterfaces,
  generatedNumbers,
  type InterfaceDescription,
  type Sites,
  standardInterfaces,
} from "../../api/interfaces.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import { wholeNumber } from "../model-flags.js";
import { parseSettings } from "../settings.js";

interface Options {
  name: string | undefined;
  file: string | undefined;
  sites: string | undefined;
  model: string | undefined;
  set: string[];
  in: number;
  out: number | undefined;
  heads: number;
  kernel: number;
  json: boolean;
}

const size = (flag: string, describe: string) => ({
  type: "number" as const,
  requiresArg: true,
  describe,
  coerce: wholeNumber(flag, 1),
});

export const interfacesCommand: CommandModule<object, Options> = {
  command: "interfaces [name]",
  describe: "List the ways to change a frozen module: formulas, slots, and how many numbers they generate",
  builder: (parser) =>
    parser
      .positional("name", { type: "string", describe: "One of them, also with arguments: 'HRA(rank: 8)'" })
      .option("in", { ...size("in", "Inputs of the module that they are counted for (its dim)"), default: 768 })
      .option("out", size("out", "Its outputs (default: as many as inputs)"))
      .option("heads", { ...size("heads", "Heads of an attention"), default: 8 })
      .option("kernel", { ...size("kernel", "Window of a convolution"), default: 3 })
      .option("file", {
        type: "string",
        requiresArg: true,
        describe: "A .weft file: also list the interfaces that it declares",
      })
      .option("sites", {
        type: "string",
        requiresArg: true,
        implies: "file",
        describe: "Count for these modules of the file's model: 'backbone.blocks[*].attn.{q, v}'",
      })
      .option("model", { type: "string", requiresArg: true, describe: "Which model, when the file has several" })
      .option("set", {
        type: "string",
        array: true,
        requiresArg: true,
        default: [] as string[],
        describe: "NAME=VALUE of a model parameter",
      })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON object" }) as never,
  async handler(options) {
    const own =
      options.file === undefined ? [] : describeInterfaces(options.file, await nodeHost().readText(options.file));
    const all = [...own, ...(await standardInterfaces())];
    if (options.name === undefined) await list(all, options);
    else await showOne(all, options.name, options);
  },
};

async function list(all: readonly InterfaceDescription[], options: Options): Promise<void> {
  const counts: (number | undefined)[] = [];
  for (const described of all) counts.push(await countIfPossible(described, options));
  if (options.json) {
    const entries = all.map((described, place) => ({ ...described, numbers: counts[place] ?? null }));
    process.stdout.write(`${JSON.stringify({ interfaces: entries })}\n`);
    return;
  }
  const rows = all.map((described, place) => [
    described.name,
    described.on.join(", "),
    described.generates ?? "",
    counts[place]?.toLocaleString("en-US") ?? "-",
    described.mergeable === undefined ? "" : described.mergeable ? "yes" : "no",
    described.needsWeight ? "yes" : "no",
    described.changesStart ? "changed" : "as its base",
  ]);
  const header = ["interface", "on", "generates", "numbers", "mergeable", "reads weight", "starts"];
  process.stdout.write(
    `${textTable(header, rows)}\n\nNumbers ${whereCounted(options)}, with default settings. \`weft interfaces NAME\` tells more of one.\n`,
  );
}

async function showOne(all: readonly InterfaceDescription[], written: string, options: Options): Promise<void> {
  const [, name, given = ""] = /^\s*(\w+)\s*(.*)$/s.exec(written) ?? [];
  const described = all.find((candidate) => candidate.name === name);
  if (described === undefined) {
    const known = all.map((candidate) => candidate.name).join(", ");
    throw new CommandError(`there is no interface "${name ?? written}"; there are ${known}`, exitCodes.usage);
  }
  // What is asked for with arguments is built with them, or the messages say why not.
  const numbers =
    given === "" ? await countIfPossible(described, options) : await count(described, `${name}${given}`, options);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...described, numbers: numbers ?? null })}\n`);
    return;
  }
  const { parameters, on, summary, generates, mergeable, needsWeight, changesStart, tensors, source } = described;
  const sentences = [
    ...(mergeable === undefined ? [] : [mergeable ? "Mergeable." : "Not mergeable."]),
    needsWeight ? "Reads the stored weight." : "Does not read the stored weight.",
    changesStart ? "Changes its module from the start." : "Equals its module at the start.",
  ];
  const counted = numbers === undefined ? "" : `${numbers.toLocaleString("en-US")} ${whereCounted(options)}`;
  process.stdout.write(
    `${[
      `${described.name}(${parameters.join(", ")}) on ${on.join(", ")}`,
      summary,
      sentences.join(" "),
      ...(generates === undefined && counted === ""
        ? []
        : [`generates ${[generates, counted].filter(Boolean).join(" = ")}`]),
      textTable(
        ["tensor", "is", "shape", "starts as"],
        tensors.map(({ name: tensor, storage, shared, shape, starts }) => [
          tensor,
          `${shared ? "shared " : ""}${storage}`,
          shape,
          starts,
        ]),
      ),
      source,
    ].join("\n\n")}\n`,
  );
}

/** Undefined for an interface that needs more to be said, or does not go with these sizes or sites. */
async function countIfPossible(described: InterfaceDescription, options: Options): Promise<number | undefined> {
  if (described.required.length > 0) return undefined;
  try {
    return await count(described, described.name, options);
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}

async function count(described: InterfaceDescription, applied: string, options: Options): Promise<number | undefined> {
  const sites = sitesFor(described, options);
  return sites && generatedNumbers(applied, sites);
}

function sitesFor({ on }: InterfaceDescription, options: Options): Sites | undefined {
  const { file, sites, model, set } = options;
  if (file !== undefined && sites !== undefined) {
    return { path: file, pattern: sites, settings: parseSettings(set), ...(model === undefined ? {} : { model }) };
  }
  const made = on.map((module) => moduleOf(module, options)).find((module) => module !== undefined);
  if (made === undefined) return undefined;
  const name = made.slice(0, made.indexOf("("));
  const text = `import { ${name} } from "std/layers"\n\nmodel Sizes() {\n  base = ${made}\n}\n`;
  return { path: "sizes.weft", text, pattern: "base" };
}

/** A module of the standard library in the sizes asked for. */
function moduleOf(name: string, { in: dim, out = dim, heads, kernel }: Options): string | undefined {
  switch (name) {
    case "Linear":
      return `Linear(${dim}, ${out})`;
    case "Conv2d":
      return `Conv2d(${dim}, ${out}, ${kernel})`;
    case "Attention":
      return `Attention(${dim}, heads: ${heads})`;
    case "LayerNorm":
    case "RMSNorm":
    case "MLP":
    case "SwiGLU":
      return `${name}(${dim})`;
    case "module":
      return `MLP(${dim})`;
    default:
      return undefined;
  }
}

function whereCounted({ file, sites, in: dim, out = dim, heads, kernel }: Options): string {
  if (file !== undefined && sites !== undefined) return `at ${sites} of ${file}`;
  return `for ${dim} inputs and ${out} outputs (dim ${dim}, ${heads} heads, windows of ${kernel})`;
}
