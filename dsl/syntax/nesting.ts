import type { Span } from "../diagnostics/diagnostic.js";

/** Deeper trees than this could overflow the stack of whoever walks them. */
const deepestTree = 600;

/** The span of a node that lies too deep, found without recursion; undefined for every tree that people write. */
export function firstTooDeep(tree: unknown): Span | undefined {
  const pending: { value: unknown; depth: number; span: Span }[] = [
    { value: tree, depth: 0, span: { file: "", start: 0, end: 0 } },
  ];
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { value, depth } = entry;
    if (typeof value !== "object" || value === null) continue;
    const span = "span" in value ? (value.span as Span) : entry.span;
    if (depth > deepestTree) return span;
    const isArray = Array.isArray(value);
    for (const [key, child] of Object.entries(value)) {
      if (key !== "span" && key !== "operatorSpan" && typeof child === "object") {
        pending.push({ value: child, depth: isArray ? depth : depth + 1, span });
      }
    }
  }
  return undefined;
}
