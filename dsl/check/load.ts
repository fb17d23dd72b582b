/** Reads a file and everything it imports, and joins their names. */
import type { Diagnostic, Span } from "../diagnostics/diagnostic.js";
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { Host } from "../host.js";
import { parse } from "../syntax/parser.js";
import type { Declaration, File, Import, StaticParameter } from "../syntax/tree.js";
import { nearest } from "./nearest.js";

/** What a name of a file stands for, wherever it was declared. */
export interface Declared {
  readonly declaration: Declaration;
  readonly file: File;
}

/** Where interfaces that a setting names are looked for when the file itself has none of that name. */
export const interfaceLibrary = "std/interfaces";

export type SourceHost = Pick<Host, "readText" | "resolve" | "standardLibrary">;

export interface Loaded {
  /** Every file that was read, by path; the entry first. */
  readonly files: ReadonlyMap<string, File>;
  readonly sources: ReadonlyMap<string, string>;
  readonly entry: File | undefined;
  /** Paths of files with syntax errors: nothing is said about names they may have meant to declare. */
  readonly broken: ReadonlySet<string>;
  /** For each file, its own declarations and what it imports. Names that could not be imported map to undefined. */
  readonly scopes: ReadonlyMap<string, ReadonlyMap<string, Declared | undefined>>;
  readonly diagnostics: readonly Diagnostic[];
}

export async function load(entryPath: string, host: SourceHost): Promise<Loaded> {
  const files = new Map<string, File>();
  const sources = new Map<string, string>();
  const broken = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  const targets = new Map<Import, string | undefined>();

  const readFile = async (path: string, text: string, trail: readonly string[]): Promise<void> => {
    const parsed = parse(text, path);
    files.set(path, parsed.file);
    sources.set(path, text);
    diagnostics.push(...parsed.diagnostics);
    if (parsed.diagnostics.some((diagnostic) => diagnostic.severity === "error")) broken.add(path);
    for (const line of parsed.file.imports) targets.set(line, await follow(line, path, [...trail, path]));
  };

  /** Reads the file an import names, once; the path it has, or undefined when there is none. */
  const follow = async (line: Import, from: string, trail: readonly string[]): Promise<string | undefined> => {
    const target = importTarget(line, from, host);
    if (target === undefined) {
      diagnostics.push(diagnose(messages.importPath, line.fromSpan, { path: line.from }));
      return undefined;
    }
    const start = trail.indexOf(target);
    if (start >= 0) {
      const cycle = [...trail.slice(start), target];
      diagnostics.push(diagnose(messages.importCycle, line.fromSpan, { cycle }));
      return undefined;
    }
    if (files.has(target)) return target;
    const text = await readTarget(target, host);
    if (text === undefined) {
      diagnostics.push(diagnose(messages.missingFile, line.fromSpan, { path: line.from, resolved: target }));
      return undefined;
    }
    await readFile(target, text, trail);
    return target;
  };

  const entryText = await readTarget(entryPath, host);
  if (entryText === undefined) {
    const span = { file: entryPath, start: 0, end: 0 };
    diagnostics.push(diagnose(messages.missingFile, span, { path: entryPath, resolved: entryPath }));
  } else {
    await readFile(entryPath, entryText, []);
  }
  if (takesInterface(files.get(entryPath)) && !files.has(interfaceLibrary)) {
    const text = await host.standardLibrary(interfaceLibrary);
    if (text !== undefined) await readFile(interfaceLibrary, text, []);
  }
  const scopes = new Map<string, ReadonlyMap<string, Declared | undefined>>();
  for (const [path, file] of files) scopes.set(path, fileScope(file, files, broken, targets, diagnostics));
  return { files, sources, broken, scopes, diagnostics, entry: files.get(entryPath) };
}

/** Whether a setting of one of the file's models names an interface, which the file need not import. */
function takesInterface(file: File | undefined): boolean {
  const isInterface = ({ type }: StaticParameter): boolean =>
    type.kind === "named" && type.path.length === 1 && type.path[0]!.text === "interface";
  return (
    file?.declarations.some(
      (declaration) => declaration.kind === "model" && declaration.parameters.some(isInterface),
    ) ?? false
  );
}

async function readTarget(path: string, host: SourceHost): Promise<string | undefined> {
  if (isStandard(path)) return host.standardLibrary(path);
  try {
    return await host.readText(path);
  } catch {
    return undefined;
  }
}

const isStandard = (path: string): boolean => /^std\/[A-Za-z0-9_/-]+$/.test(path);

/**
 * The path an import names: `std/..` as it stands, `./x.weft` from the importing file's folder; undefined for anything
 * else.
 */
function importTarget(line: Import, from: string, host: SourceHost): string | undefined {
  if (isStandard(line.from)) return line.from;
  if (!/^\.\.?\//.test(line.from) || !line.from.endsWith(".weft")) return undefined;
  if (!isStandard(from)) return host.resolve(from, line.from);
  const inside = /^\.\/([A-Za-z0-9_-]+)\.weft$/.exec(line.from);
  return inside === null ? undefined : `std/${inside[1]}`;
}

function fileScope(
  file: File,
  files: ReadonlyMap<string, File>,
  broken: ReadonlySet<string>,
  targets: ReadonlyMap<Import, string | undefined>,
  diagnostics: Diagnostic[],
): ReadonlyMap<string, Declared | undefined> {
  const scope = new Map<string, Declared | undefined>();
  const places = new Map<string, Span>();
  const add = (name: string, span: Span, declared: Declared | undefined): void => {
    const before = places.get(name);
    if (before !== undefined) {
      const label = { span: before, text: `\`${name}\` is declared here first` };
      diagnostics.push(diagnose(messages.duplicateName, span, { name, where: "this file" }, [label]));
      return;
    }
    places.set(name, span);
    scope.set(name, declared);
  };
  for (const line of file.imports) {
    const path = targets.get(line);
    const source = path === undefined ? undefined : files.get(path);
    for (const { name, alias } of line.names) {
      const declaration = source?.declarations.find((candidate) => candidate.name.text === name.text);
      const local = alias ?? name;
      add(local.text, local.span, source && declaration && { declaration, file: source });
      if (source === undefined || declaration !== undefined || broken.has(source.path)) continue;
      const known = source.declarations.map((candidate) => candidate.name.text);
      const values = { name: name.text, path: line.from, nearest: nearest(name.text, known), known };
      diagnostics.push(diagnose(messages.missingExport, name.span, values));
    }
  }
  for (const declaration of file.declarations) {
    add(declaration.name.text, declaration.name.span, { declaration, file });
  }
  return scope;
}
