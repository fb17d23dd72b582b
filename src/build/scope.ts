import type { Context } from "./context.js";
import type { Value } from "./values.js";

/** Names and what they stand for, from the innermost block outwards. */
export class Scope {
  readonly #names = new Map<string, Value>();

  /**
   * `resolve` answers names that are not defined here but computed (members of a module seen through operators). `boundary` marks the
   * outermost scope of a function: rebinding reaches no further.
   */
  constructor(
    readonly context: Context,
    readonly parent?: Scope,
    readonly options: { readonly resolve?: (name: string) => Value | undefined; readonly boundary?: boolean } = {},
  ) {}

  lookup(name: string): Value | undefined {
    return this.#names.get(name) ?? this.options.resolve?.(name) ?? this.parent?.lookup(name);
  }

  define(name: string, value: Value): void {
    this.#names.set(name, value);
  }

  /** Gives a name bound earlier in the same function a new value; false when there is none. */
  assign(name: string, value: Value): boolean {
    if (this.#names.has(name)) {
      this.#names.set(name, value);
      return true;
    }
    return this.options.boundary ? false : (this.parent?.assign(name, value) ?? false);
  }
}
