/** Code blocks and tables of the pages that people read. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

export interface CodeBlock {
  readonly page: string;
  /** Of the line with the fence, from 1. */
  readonly line: number;
  /** What stands behind the fence: `weft`, `weft fragment`, `weft error W307`. */
  readonly marks: readonly string[];
  readonly text: string;
}

export const pageText = (page: string): string => readFileSync(join(root, page), "utf8");

export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { line: number; marks: string[]; lines: string[] } | undefined;
  for (const [index, line] of pageText(page).split("\n").entries()) {
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (open === undefined) open = { line: index + 1, marks: line.slice(3).trim().split(/\s+/), lines: [] };
    else {
      blocks.push({ page, line: open.line, marks: open.marks, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    }
  }
  return blocks;
}

/** A page's text below a heading, up to the next one of the same or a higher level. */
export function section(page: string, heading: string): string {
  const lines = pageText(page).split("\n");
  const level = (line: string): number => (/^(#+) /.exec(line)?.[1] ?? "").length;
  const start = lines.findIndex((line) => level(line) > 0 && line.replace(/^#+ /, "") === heading);
  if (start < 0) throw new Error(`${page} has no heading "${heading}"`);
  const end = lines.findIndex((line, index) => index > start && level(line) > 0 && level(line) <= level(lines[start]!));
  return lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
}

/** The rows of all tables in a text, each as its cells; heads and rules are left out. */
export function tableRows(text: string): string[][] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const isRow = line.startsWith("| ") && !line.startsWith("| ---") && !lines[index + 1]?.startsWith("| ---");
    return isRow
      ? [
          line
            .slice(1, line.lastIndexOf("|"))
            .split(" | ")
            .map((cell) => cell.trim()),
        ]
      : [];
  });
}

/** The code in a text: what stands between backquotes, on one line or over two. */
export const codeIn = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replace(/\s+/g, " "));
