import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import type { Context } from "./context.js";
import { Scope } from "./scope.js";

/** The top level of a file: its declarations and what it imports. */
export function fileScope(context: Context, path: string): Scope {
  const known = context.fileScopes.get(path);
  if (known) return known;
  const names = context.program.scope(context.program.files.get(path)!);
  const scope = new Scope(context, undefined, {
    resolve: (name) => {
      const declared = names.get(name);
      return declared && { kind: "declaration", declaration: declared.declaration };
    },
  });
  context.fileScopes.set(path, scope);
  return scope;
}

/** What stands at a place of the source, on one line. */
export function sourceText(context: Context, span: Span): string {
  const text = context.program.sources.get(span.file)?.slice(span.start, span.end) ?? "";
  return text.replace(/\s+/g, " ");
}
