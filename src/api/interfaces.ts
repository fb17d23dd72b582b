/** Operator interfaces as they describe themselves, in their `///` comments and declarations, and how many numbers they generate where. */
import type { Host } from "../../dsl/host.js";
import { parse } from "../../dsl/syntax/parser.js";
import type { InterfaceDeclaration, Member, ModelDeclaration, Weight } from "../../dsl/syntax/tree.js";
import type { Setting } from "../build/model.js";
import { nodeHost } from "../cli/host.js";
import { compile } from "./load.js";

export interface InterfaceDescription {
  readonly name: string;
  /** Its parameters as they are written: `rank: int = 16`. */
  readonly parameters: readonly string[];
  /** Parameters that have no default. */
  readonly required: readonly string[];
  /** Names of modules; `module` stands for any. */
  readonly on: readonly string[];
  readonly summary: string;
  /** How many numbers one site takes, as an expression of parameters of the interface and its module; undefined when it does not say. */
  readonly generates?: string;
  /** Whether the changed module is one of the same kind with other stored tensors; undefined when it does not say. */
  readonly mergeable?: boolean;
  /** Whether it reads or replaces stored tensors of its module other than a bias. */
  readonly needsWeight: boolean;
  /** Whether it says that it differs from its module from the start. */
  readonly changesStart: boolean;
  readonly tensors: readonly TensorDescription[];
  readonly source: string;
}

/** A slot, or a tensor that the interface stores. */
export interface TensorDescription {
  readonly name: string;
  readonly storage: Weight["storage"];
  /** One for all sites. */
  readonly shared: boolean;
  /** As written: `[rank, base.in_features]`. */
  readonly shape: string;
  readonly starts: string;
}

const library = "std/interfaces";

/** The interfaces of the standard library, as listed there. */
export async function standardInterfaces(host: Host = nodeHost()): Promise<InterfaceDescription[]> {
  const text = await host.standardLibrary(library);
  return text === undefined ? [] : describeInterfaces(library, text);
}

/** The interfaces that a file declares. */
export function describeInterfaces(path: string, text: string): InterfaceDescription[] {
  return parse(text, path).file.declarations.flatMap((declaration) =>
    declaration.kind === "interface" ? [describe(declaration, text)] : [],
  );
}

function describe(declaration: InterfaceDeclaration, text: string): InterfaceDescription {
  const written = ({ start, end }: { readonly start: number; readonly end: number }): string =>
    text.slice(start, end).replace(/\s+/g, " ");
  const doc = (declaration.doc ?? "").replace(/\s+/g, " ").trim();
  const said = /Generates `([^`]+)` numbers; (not )?mergeable\b[^.]*\./.exec(doc);
  return {
    name: declaration.name.text,
    parameters: declaration.parameters.map(({ span }) => written(span)),
    required: declaration.parameters.flatMap(({ name, default: value }) => (value === undefined ? [name.text] : [])),
    on: declaration.on.map(({ text: name }) => name),
    summary: said ? doc.replace(said[0], "").trim() : doc,
    ...(said ? { generates: said[1]!, mergeable: said[2] === undefined } : {}),
    needsWeight: usesWeight(declaration.members),
    changesStart: declaration.members.some((member) => member.kind === "field" && member.name.text === "starts"),
    tensors: tensorsOf(declaration.members).map(
      ({ name, storage, shared, type, initial }): TensorDescription => ({
        name: name.text,
        storage,
        shared,
        shape: written(type.span),
        starts: initial === undefined ? "zeros()" : written(initial.span),
      }),
    ),
    source: text.slice(declaration.span.start, declaration.span.end),
  };
}

const tensorsOf = (members: readonly Member[]): Weight[] =>
  members.flatMap((member) => {
    if (member.kind === "conditional") return tensorsOf([...member.then, ...member.otherwise]);
    return member.kind === "weight" ? [member] : [];
  });

/** Whether `base.weight`, or `base with { .. }`, stands anywhere in a part of the tree. */
function usesWeight(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  const isBase = (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    "name" in value &&
    value.kind === "name" &&
    value.name === "base";
  if ("kind" in part && part.kind === "member" && "object" in part && "member" in part && isBase(part.object)) {
    return (part.member as { readonly text: string }).text === "weight";
  }
  if ("kind" in part && part.kind === "replace" && Object.values(part).some(isBase)) return true;
  return Object.values(part).some(usesWeight);
}

/** Where an interface would be applied. */
export interface Sites {
  /** Of the file with the model. */
  readonly path: string;
  /** The file's text, where there is no such file. */
  readonly text?: string;
  /** Which model of the file; needed when there are several. */
  readonly model?: string;
  readonly settings?: Readonly<Record<string, Setting>>;
  /** As behind `adapt`: `backbone.blocks[*].attn.{q, v}`. */
  readonly pattern: string;
}

/**
 * How many numbers an interface, written with its arguments (`HRA(rank: 8)`), generates at all sites of a model together. It is one of
 * the standard library or of the model's own file. Throws SourcesError when it does not fit there.
 */
export async function generatedNumbers(applied: string, sites: Sites, host: Host = nodeHost()): Promise<number> {
  const text = sites.text ?? (await host.readText(sites.path));
  const extended = withAdaptation(applied, sites, text);
  const reading: Host = {
    ...host,
    readText: (path) => (path === sites.path ? Promise.resolve(extended) : host.readText(path)),
  };
  const { model } = await compile(sites.path, {
    host: reading,
    ...(sites.model === undefined ? {} : { model: sites.model }),
    ...(sites.settings === undefined ? {} : { settings: sites.settings }),
  });
  return model.adaptations.find(({ path }) => path === "counted")!.grid.numbers;
}

/** The file with one more field in its model, which applies the interface; what stood there stays where it was. */
function withAdaptation(applied: string, { path, model, pattern }: Sites, text: string): string {
  const [, name, rest] = /^\s*(\w+)(.*)$/s.exec(applied) ?? [];
  const { declarations } = parse(text, path).file;
  const models = declarations.filter((declaration): declaration is ModelDeclaration => declaration.kind === "model");
  const into = models.find((declaration) => model === undefined || declaration.name.text === model);
  // A file without that model says so itself.
  if (name === undefined || into === undefined) return text;
  const isOwn = declarations.some((declaration) => declaration.name.text === name);
  const end = into.span.end - 1;
  const used = isOwn ? name : "CountedInterface";
  const field = `\n  counted = adapt ${pattern} with ${used}${rest === "" ? "()" : rest} as CountedLayout(1, 1) ragged\n`;
  const imports = [
    'import { Flat as CountedLayout } from "std/layouts"',
    ...(isOwn ? [] : [`import { ${name} as CountedInterface } from "${library}"`]),
  ];
  return `${text.slice(0, end)}${field}${text.slice(end)}\n${imports.join("\n")}\n`;
}
