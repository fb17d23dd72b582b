import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { print } from "./format/doc.js";
import { layoutFile } from "./format/layout.js";
import { readPieces } from "./format/pieces.js";
import { lex } from "./lexer.js";
import { endLines } from "./lines.js";
import { parse } from "./parser.js";
import type { File, Member } from "./tree.js";

export type Formatted = { readonly text: string } | { readonly diagnostics: readonly Diagnostic[] };

const widestLine = 120;

/**
 * The text in its one form: indented by two, one space between words, lines broken at 120 columns where they can be, at
 * most one empty line in a row, `=` of neighbouring lines in one column where the author began it, `fn` before a
 * model's functions and not before methods. Keeps every comment. Formatting twice changes nothing, and the tree is the
 * same. A file that cannot be read is not formatted.
 */
export function format(text: string, path: string): Formatted {
  const { file, diagnostics } = parse(text, path);
  if (diagnostics.length > 0) return { diagnostics };
  const named = setFn(text, file);
  const { tokens, comments } = lex(named, path);
  const lines = endLines(tokens, named, path);
  const formatted = print(layoutFile(readPieces(lines.tokens, comments, named)), widestLine);
  return { text: formatted === "" ? "" : `${formatted}\n` };
}

/** Adds and removes `fn`: functions of models have it, methods do not. */
function setFn(text: string, file: File): string {
  const edits: { start: number; end: number; text: string }[] = [];
  const visit = (members: readonly Member[], wanted: boolean): void => {
    for (const member of members) {
      if (member.kind === "conditional") {
        visit(member.then, wanted);
        visit(member.otherwise, wanted);
      }
      if (member.kind !== "function") continue;
      const start = member.span.start;
      const written = member.name.span.start > start;
      if (written && !wanted) edits.push({ start, end: start + "fn".length, text: "" });
      if (!written && wanted) edits.push({ start, end: start, text: "fn " });
    }
  };
  for (const declaration of file.declarations) {
    if (declaration.kind !== "function") visit(declaration.members, declaration.kind === "model");
  }
  let result = "";
  let end = 0;
  for (const edit of edits) {
    result += text.slice(end, edit.start) + edit.text;
    end = edit.end;
  }
  return result + text.slice(end);
}
