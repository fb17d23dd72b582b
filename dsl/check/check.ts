import type { Diagnostic } from "../diagnostics/diagnostic.js";
import type { File } from "../syntax/tree.js";
import { checkDeclaration } from "./declarations.js";
import { unknown } from "./kinds.js";
import { type Declared, type Loaded, load, type SourceHost } from "./load.js";
import { inner, type Scope } from "./scope.js";

export type { Declared, SourceHost } from "./load.js";

/** A file and all it imports, in which every name is known. */
export interface CheckedProgram {
  /** By path; standard library modules as `std/layers`. */
  readonly files: ReadonlyMap<string, File>;
  /** The top-level names of a file, imports resolved. */
  readonly scope: (file: File) => ReadonlyMap<string, Declared>;
  readonly entry: File;
  readonly sources: ReadonlyMap<string, string>;
}

export interface Checked {
  /** Absent when there are errors. */
  readonly program?: CheckedProgram;
  /** Ordered by file, in the order of reading, and place. */
  readonly diagnostics: readonly Diagnostic[];
  /** Texts of all files that were read, for rendering messages. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Reads a file and everything it imports, and checks all that can be known before sizes are. Never throws for what
 * stands in the files; `readText` rejecting means that a file does not exist.
 */
export async function check(entryPath: string, host: SourceHost): Promise<Checked> {
  const loaded = await load(entryPath, host);
  const diagnostics = [...loaded.diagnostics];
  for (const [path, file] of loaded.files) {
    if (!loaded.broken.has(path)) diagnostics.push(...checkFile(file, loaded));
  }
  const order = new Map([...loaded.files.keys()].map((path, index) => [path, index]));
  diagnostics.sort(
    (a, b) => (order.get(a.span.file) ?? 0) - (order.get(b.span.file) ?? 0) || a.span.start - b.span.start,
  );
  const { sources, entry } = loaded;
  if (entry === undefined || diagnostics.some((diagnostic) => diagnostic.severity === "error"))
    return { diagnostics, sources };
  const scope = (file: File): ReadonlyMap<string, Declared> => resolved(loaded, file);
  return { program: { files: loaded.files, scope, entry, sources }, diagnostics, sources };
}

function checkFile(file: File, loaded: Loaded): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();
  const report = (diagnostic: Diagnostic): void => {
    const key = `${diagnostic.code} ${diagnostic.span.start} ${diagnostic.span.end}`;
    if (!seen.has(key)) diagnostics.push(diagnostic);
    seen.add(key);
  };
  const resolve = (path: string, name: string) => loaded.scopes.get(path)?.get(name)?.declaration;
  const scope: Scope = inner(undefined);
  for (const [name, declared] of loaded.scopes.get(file.path) ?? []) {
    scope.names.set(
      name,
      declared === undefined ? unknown : { kind: "declaration", declaration: declared.declaration },
    );
  }
  for (const declaration of file.declarations)
    checkDeclaration({ report, resolve, stages: undefined }, declaration, scope);
  return diagnostics;
}

/** Without errors every name has a declaration. */
function resolved(loaded: Loaded, file: File): ReadonlyMap<string, Declared> {
  const names = new Map<string, Declared>();
  for (const [name, declared] of loaded.scopes.get(file.path) ?? [])
    if (declared !== undefined) names.set(name, declared);
  return names;
}
