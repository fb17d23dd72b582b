/** Site patterns: `backbone.blocks[*].{attn.q, experts[*].up}` against the tree of module instances. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { SitePattern, SiteStep } from "../../dsl/syntax/tree.js";
import { fail } from "./context.js";
import { evaluateInt } from "./evaluate.js";
import { memberNames, moduleMember } from "./member.js";
import type { Scope } from "./scope.js";
import { describeValue, type Instance, type Value } from "./values.js";

/** One module that a pattern names. */
export interface FoundSite {
  readonly instance: Instance;
  /** The list that the first `[*]` runs over; "" when there is none. */
  readonly list: string;
  /** Group of the list's items, and how many groups there are. */
  readonly layer: number;
  readonly layers: number;
  /** Groups chosen by later `[*]`, outermost first. */
  readonly copies: readonly number[];
  /** The steps without their `[*]` indices: the same for all layers and copies. */
  readonly leaf: string;
  readonly span: Span;
}

interface Walk {
  readonly value: Value;
  readonly path: string;
  readonly leaf: string;
  readonly list?: { readonly path: string; readonly layer: number; readonly layers: number };
  readonly copies: readonly number[];
}

/** All modules that a pattern names, in the order: alternatives as listed, items ascending. */
export function findSites(pattern: SitePattern, scope: Scope): FoundSite[] {
  const [first, ...rest] = pattern.steps;
  if (!first) return [];
  if (first.kind === "alternatives") return first.patterns.flatMap((inner) => findSites(inner, scope));
  const name = first.kind === "name" ? first.name.text : "";
  const value = scope.lookup(name);
  if (!value) return fail(scope.context, messages.unknownName, first.span, { name });
  return walk({ value, path: name, leaf: name, copies: [] }, rest, pattern.span, scope);
}

function walk(at: Walk, steps: readonly SiteStep[], span: Span, scope: Scope): FoundSite[] {
  const { context } = scope;
  const [step, ...rest] = steps;
  if (!step) {
    if (at.value.kind !== "module") {
      return fail(context, messages.siteNotAModule, span, {
        path: at.path,
        found: describeValue(at.value),
        list: at.value.kind === "list",
      });
    }
    const { path: list = "", layer = 0, layers = 1 } = at.list ?? {};
    return [{ instance: at.value.instance, list, layer, layers, copies: at.copies, leaf: at.leaf, span }];
  }
  switch (step.kind) {
    case "name": {
      const name = step.name.text;
      const value = at.value.kind === "module" ? moduleMember(at.value, name) : undefined;
      if (!value) {
        const known = at.value.kind === "module" ? moduleNames(at.value) : [];
        return fail(context, messages.siteBreaks, step.span, {
          path: at.path,
          name,
          found: describeValue(at.value),
          known,
        });
      }
      return walk({ ...at, value, path: `${at.path}.${name}`, leaf: `${at.leaf}.${name}` }, rest, step.span, scope);
    }
    case "item": {
      const items = itemsOf(at, step.span, scope);
      const index = evaluateInt(step.index, scope);
      const item = items[index < 0 ? index + items.length : index];
      if (!item) return fail(context, messages.indexOutOfRange, step.span, { index, size: items.length });
      const path = `${at.path}.${index}`;
      return walk({ ...at, value: item, path, leaf: `${at.leaf}.${index}` }, rest, step.span, scope);
    }
    case "each": {
      const items = itemsOf(at, step.span, scope);
      const by = step.by ? evaluateInt(step.by, scope) : 1;
      if (by < 1 || items.length % by !== 0) {
        return fail(context, messages.groupSize, step.span, { path: at.path, count: items.length, by });
      }
      return items.flatMap((value, index) => {
        const group = Math.floor(index / by);
        const next = { ...at, value, path: `${at.path}.${index}`, leaf: `${at.leaf}.*` };
        const inner = at.list
          ? { ...next, copies: [...at.copies, group] }
          : { ...next, list: { path: at.path, layer: group, layers: items.length / by } };
        return walk(inner, rest, step.span, scope);
      });
    }
    case "alternatives":
      return step.patterns.flatMap((inner) => walk(at, [...inner.steps, ...rest], inner.span, scope));
  }
}

function itemsOf(at: Walk, span: Span, scope: Scope): readonly Value[] {
  if (at.value.kind === "list") return at.value.items;
  return fail(scope.context, messages.eachNeedsList, span, { path: at.path, found: describeValue(at.value) });
}

/** Names of the modules (and lists of modules) inside a module. */
function moduleNames(value: Value & { readonly kind: "module" }): string[] {
  return memberNames(value).filter((name) => {
    const member = moduleMember(value, name);
    return member?.kind === "module" || member?.kind === "list";
  });
}
