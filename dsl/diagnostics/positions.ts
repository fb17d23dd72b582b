/**
 * Lines and columns of a text. Both count from 1; a column is a Unicode code point. A line ends with \n, \r\n or \r.
 */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where each line of a text begins, in UTF-16 code units. */
export interface LineIndex {
  readonly text: string;
  readonly starts: readonly number[];
}

export function indexLines(text: string): LineIndex {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return { text, starts };
}

/** The position of an offset; offsets outside of the text are taken to its ends. */
export function positionAt(index: LineIndex, offset: number): Position {
  const inside = Math.min(Math.max(0, offset), index.text.length);
  let low = 0;
  let high = index.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (index.starts[middle]! <= inside) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: codePoints(index.text.slice(index.starts[low]!, inside)) + 1 };
}

/** A line's text, without its end. */
export function lineText(index: LineIndex, line: number): string {
  return index.text.slice(index.starts[line - 1]!, index.starts[line]).replace(/[\r\n]+$/, "");
}

export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
