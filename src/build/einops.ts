/** Patterns of named axes: "n (h d) -> h n d". */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { formatShape, type Shape } from "../graph/shape.js";
import { type Context, fail } from "./context.js";

/** One place of a pattern: the axes that are joined there; a single axis is a group of one, `1` a group of none. */
export type Group = readonly string[];

export interface Pattern {
  readonly inputs: readonly (readonly Group[])[];
  readonly output: readonly Group[];
}

/** The leading axes that `...` stands for. */
const ellipsis = "...";

export const isEllipsis = (group: Group): boolean => group.length === 1 && group[0] === ellipsis;

/** Reads `inputs -> output`; inputs are separated by commas. */
export function parsePattern(context: Context, text: string, span: Span): Pattern {
  const sides = text.split("->");
  if (sides.length !== 2)
    return fail(context, messages.badPattern, span, { pattern: text, reason: 'it needs one "->"' });
  const read = (side: string): Group[] => {
    const groups: Group[] = [];
    let open: string[] | undefined;
    for (const [token] of side.matchAll(/\.\.\.|[A-Za-z_][A-Za-z0-9_]*|\d+|[()]|\S/g)) {
      if (token === "(" && !open) open = [];
      else if (token === ")" && open) {
        groups.push(open);
        open = undefined;
      } else if (/^[A-Za-z_]/.test(token) || (token === ellipsis && !open)) {
        if (open) open.push(token);
        else groups.push([token]);
      } else if (token === "1") {
        if (!open) groups.push([]);
      } else
        return fail(context, messages.badPattern, span, { pattern: text, reason: `"${token}" is not expected there` });
    }
    if (open) return fail(context, messages.badPattern, span, { pattern: text, reason: "a parenthesis is not closed" });
    const names = groups.flat();
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice)
      return fail(context, messages.badPattern, span, {
        pattern: text,
        reason: `axis ${twice} stands twice on one side`,
      });
    return groups;
  };
  return { inputs: sides[0]!.split(",").map(read), output: read(sides[1]!) };
}

/** Sizes of all named axes of `groups` against a shape; `known` gives sizes by name and is extended. Returns the axes `...` stands for. */
export function bindAxes(
  context: Context,
  pattern: string,
  groups: readonly Group[],
  shape: Shape,
  known: Map<string, number>,
  span: Span,
): Shape {
  const refuse = (reason: string): never =>
    fail(context, messages.badPattern, span, { pattern, reason: `${reason}; the tensor is ${formatShape(shape)}` });
  const place = groups.findIndex(isEllipsis);
  const fixed = groups.length - (place >= 0 ? 1 : 0);
  if (place >= 0 ? shape.length < fixed : shape.length !== fixed) {
    return refuse(`it names ${fixed} ${fixed === 1 ? "axis" : "axes"}`);
  }
  const leading = place >= 0 ? shape.slice(place, place + shape.length - fixed) : [];
  const sizes = place >= 0 ? [...shape.slice(0, place), -1, ...shape.slice(place + leading.length)] : shape;
  groups.forEach((group, axis) => {
    if (axis === place) return;
    const size = sizes[axis]!;
    const unknown = group.filter((name) => !known.has(name));
    const product = group.reduce((total, name) => total * (known.get(name) ?? 1), 1);
    if (unknown.length > 1) refuse(`the sizes of ${unknown.join(" and ")} are not known; give all but one by name`);
    if (unknown.length === 1) {
      if (product === 0 || size % product !== 0) refuse(`${product} does not divide the axis of ${size}`);
      known.set(unknown[0]!, size / product);
    } else if (product !== size) {
      const said = group.map((name) => `${name} = ${known.get(name)}`).join(", ");
      refuse(`${said || "an axis of 1"} does not make the axis of ${size}`);
    }
  });
  return leading;
}
