import { builtinConstants, builtins } from "./builtins.js";
import { type Kind, unknown } from "./kinds.js";

/** Names and the kinds of what they stand for, from the innermost block outwards. */
export interface Scope {
  readonly names: Map<string, Kind>;
  readonly parent: Scope | undefined;
  /** The outermost scope of a function: rebinding reaches no further. */
  readonly boundary: boolean;
}

export function inner(parent: Scope | undefined, boundary = false): Scope {
  return { names: new Map(), parent, boundary };
}

export function lookup(scope: Scope, name: string): Kind | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const kind = at.names.get(name);
    if (kind !== undefined) return kind;
  }
  if (builtins.has(name)) return { kind: "builtin", name };
  return builtinConstants.has(name) ? unknown : undefined;
}

/** Whether a name was bound by `let`, `for` or a parameter of the same function. */
export function isBoundInFunction(scope: Scope, name: string): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.names.has(name)) return true;
    if (at.boundary) return false;
  }
  return false;
}

/** Gives a name bound earlier in the same function another kind. */
export function rebind(scope: Scope, name: string, kind: Kind): void {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.names.has(name)) {
      at.names.set(name, kind);
      return;
    }
    if (at.boundary) return;
  }
}

export function visibleNames(scope: Scope): string[] {
  const names: string[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) names.push(...at.names.keys());
  return [...names, ...builtins.keys(), ...builtinConstants];
}
