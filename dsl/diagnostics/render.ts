import type { Diagnostic, Severity, Span } from "./diagnostic.js";
import { codePoints, indexLines, type LineIndex, lineText, positionAt } from "./positions.js";

export interface RenderOptions {
  /** Whether to colour the text for a terminal. */
  readonly color: boolean;
}

/** One underlined stretch of one line. */
interface Mark {
  readonly line: number;
  /** From this column (counted from 0) on, `width` columns. */
  readonly column: number;
  readonly width: number;
  readonly primary: boolean;
  readonly text: string;
}

interface Paint {
  readonly title: (severity: Severity, text: string) => string;
  readonly mark: (severity: Severity, primary: boolean, text: string) => string;
  readonly gutter: (text: string) => string;
  readonly strong: (text: string) => string;
}

const widestLine = 140;
const tab = "  ";

/**
 * Messages as people read them: what is wrong, where, the lines themselves with the places underlined, and what to do.
 * `sources` holds the texts of the files by path; a place in a file that is not there is given without its line. Ends
 * with a newline; empty for no messages.
 */
export function render(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string>,
  options: RenderOptions,
): string {
  const paint = options.color ? colors : plain;
  const indexes = new Map<string, LineIndex>();
  const indexOf = (file: string): LineIndex | undefined => {
    const text = sources.get(file);
    if (text === undefined) return undefined;
    const index = indexes.get(file) ?? indexLines(text);
    indexes.set(file, index);
    return index;
  };
  const parts = diagnostics.map((diagnostic) => renderOne(diagnostic, indexOf, paint));
  if (parts.length > 1) parts.push(`${summary(diagnostics)}\n`);
  return parts.join("\n");
}

function summary(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;
  const parts = [
    errors > 0 && count(errors, "error"),
    diagnostics.length > errors && count(diagnostics.length - errors, "warning"),
  ];
  return parts.filter((part) => part !== false).join(", ");
}

function renderOne(diagnostic: Diagnostic, indexOf: (file: string) => LineIndex | undefined, paint: Paint): string {
  const { severity, span } = diagnostic;
  const title = paint.title(severity, `${severity}[${diagnostic.code}]`);
  const lines = [`${title}${paint.strong(`: ${shown(diagnostic.message)}`)}`];
  const places = [
    { span, text: "", primary: true },
    ...diagnostic.labels.map((label) => ({ ...label, primary: false })),
  ];
  const files = [...new Set(places.map((place) => place.span.file))];
  const width = Math.max(...places.map((place) => String(lineOf(place.span, indexOf)).length));
  const pad = " ".repeat(width);
  for (const file of files) {
    const inFile = places.filter((place) => place.span.file === file);
    const index = indexOf(file);
    const arrow = file === span.file ? "-->" : ":::";
    lines.push(
      `${pad}${paint.gutter(arrow)} ${shown(file)}${index === undefined ? "" : place(index, inFile[0]!.span)}`,
    );
    if (index === undefined) {
      for (const { text } of inFile) if (text !== "") lines.push(`${pad} ${paint.gutter("=")} ${shown(text)}`);
      continue;
    }
    const marks = inFile.map(({ span: at, text, primary }) => markOf(index, at, shown(text), primary));
    lines.push(...renderLines(index, marks, severity, width, paint));
  }
  if (diagnostic.help !== undefined) {
    lines.push(`${pad} ${paint.gutter("=")} ${paint.strong("help:")} ${shown(diagnostic.help)}`);
  }
  return `${lines.join("\n")}\n`;
}

function lineOf(span: Span, indexOf: (file: string) => LineIndex | undefined): number {
  const index = indexOf(span.file);
  return index === undefined ? 0 : positionAt(index, span.start).line;
}

function place(index: LineIndex, span: Span): string {
  const { line, column } = positionAt(index, span.start);
  return `:${line}:${column}`;
}

/** A span of several lines is underlined to the end of its first. */
function markOf(index: LineIndex, span: Span, text: string, primary: boolean): Mark {
  const { line } = positionAt(index, span.start);
  const whole = lineText(index, line);
  const start = Math.min(span.start - index.starts[line - 1]!, whole.length);
  const end = Math.min(span.end - index.starts[line - 1]!, whole.length);
  const column = codePoints(shown(whole.slice(0, start)));
  return { line, column, width: Math.max(1, codePoints(shown(whole.slice(start, end)))), primary, text };
}

function renderLines(
  index: LineIndex,
  marks: readonly Mark[],
  severity: Severity,
  width: number,
  paint: Paint,
): string[] {
  const bar = paint.gutter("|");
  const empty = `${" ".repeat(width)} ${bar}`;
  const lines = [empty];
  const numbers = [...new Set(marks.map((mark) => mark.line))].sort((a, b) => a - b);
  numbers.forEach((number, place) => {
    const before = numbers[place - 1];
    if (before !== undefined && number > before + 1) lines.push(paint.gutter(`${" ".repeat(width)} :`));
    const here = marks.filter((mark) => mark.line === number).sort((a, b) => Number(b.primary) - Number(a.primary));
    const window = cut(shown(lineText(index, number)), here[0]!);
    lines.push(`${paint.gutter(String(number).padStart(width))} ${bar} ${window.text}`.trimEnd());
    for (const mark of here) {
      const column = mark.column - window.from;
      if (column < 0 || column > widestLine + 1) continue;
      const underline = (mark.primary ? "^" : "-").repeat(Math.min(mark.width, widestLine + 1 - column));
      const text = mark.text === "" ? underline : `${underline} ${mark.text}`;
      lines.push(`${empty} ${" ".repeat(column)}${paint.mark(severity, mark.primary, text)}`);
    }
  });
  return lines;
}

/** A line longer than a screen is shown around the mark. */
function cut(line: string, mark: Mark): { readonly text: string; readonly from: number } {
  const characters = [...line];
  if (characters.length <= widestLine) return { text: line, from: 0 };
  const first = Math.max(0, Math.min(mark.column - 40, characters.length - widestLine));
  const part = characters.slice(first, first + widestLine).join("");
  const more = first + widestLine < characters.length ? "..." : "";
  return first === 0 ? { text: `${part}${more}`, from: 0 } : { text: `...${part}${more}`, from: first - 3 };
}

/** Tabs as spaces; characters that would move the cursor or hide text as one visible sign each. */
function shown(text: string): string {
  return text.replaceAll("\t", tab).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

const style =
  (code: string) =>
  (text: string): string =>
    `\u001b[${code}m${text}\u001b[0m`;
const red = style("1;31");
const yellow = style("1;33");
const blue = style("1;34");
const bold = style("1");

const colors: Paint = {
  title: (severity, text) => (severity === "error" ? red(text) : yellow(text)),
  mark: (severity, primary, text) => (!primary ? blue(text) : severity === "error" ? red(text) : yellow(text)),
  gutter: blue,
  strong: bold,
};

const plain: Paint = {
  title: (_severity, text) => text,
  mark: (_severity, _primary, text) => text,
  gutter: (text) => text,
  strong: (text) => text,
};
