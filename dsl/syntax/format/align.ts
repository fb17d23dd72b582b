/**
 * Neighbouring lines `name = value` whose signs the author has set in one column stay so: one wide space in a run of
 * lines is enough, and the whole run is aligned. Empty lines, comments between and other lines end a run.
 */
import * as t from "../tokens.js";
import type { Element, Item, Leaf } from "./pieces.js";

/** The width of what stands before `=`; undefined where it is not on one line. */
type Measure = (head: Item) => number | undefined;

interface Aligned {
  readonly item: Item;
  readonly sign: number;
  readonly width: number;
}

export function alignItems(items: readonly Item[], measure: Measure): readonly Item[] {
  const result: Item[] = [];
  let run: Aligned[] = [];
  const finish = (): void => {
    const widest = Math.max(...run.map((line) => line.width));
    const wide = run.length > 1 && run.some(isWide);
    result.push(...run.map((line) => (wide ? pad(line, widest) : line.item)));
    run = [];
  };
  for (const item of items) {
    const line = readLine(item, measure);
    const [before] = run;
    if (line === undefined) {
      finish();
      result.push(item);
      continue;
    }
    const first = firstLeaf(item[0]!);
    const apart = first.blank || first.before.length > 0;
    if (before !== undefined && (apart || lineKind(before.item) !== lineKind(item))) finish();
    run.push(line);
  }
  finish();
  return result;
}

function readLine(item: Item, measure: Measure): Aligned | undefined {
  const sign = item.findIndex((element) => element.kind === "leaf" && element.token?.tokenType === t.Assign);
  if (sign < 1) return undefined;
  const width = measure(item.slice(0, sign));
  return width === undefined ? undefined : { item, sign, width };
}

/** Fields, weights and `let` are aligned among themselves. */
function lineKind(item: Item): string {
  const [first, second] = item;
  if (first?.kind !== "leaf" || second?.kind !== "leaf") return "other";
  return second.token?.tokenType === t.Assign ? "name" : first.token?.tokenType === t.Let ? "let" : "weight";
}

function isWide({ item, sign }: Aligned): boolean {
  const before = item[sign - 1]!;
  const last = (before.kind === "leaf" ? before : before.close).token;
  const token = (item[sign] as Leaf).token;
  return last !== undefined && token !== undefined && token.startOffset - (last.startOffset + last.image.length) > 1;
}

function pad({ item, sign, width }: Aligned, widest: number): Item {
  return item.map((element, place): Element => {
    return place === sign && element.kind === "leaf" ? { ...element, text: `${" ".repeat(widest - width)}=` } : element;
  });
}

function firstLeaf(element: Element): Leaf {
  return element.kind === "leaf" ? element : element.open;
}
