/** Portable functions: written once as single-assignment text that every C-like dialect understands. */
import type { Dialect, ValueType } from "./dialect.js";

/**
 * A pure, branch-free function. Its text uses operators, literals and calls that all dialects spell alike; what they spell differently
 * (types, selects, conversions) goes through the dialect. `weft_bits` and `weft_from_bits` (f32 to u32 bits and back) and `weft_fmaf`-free
 * arithmetic come with each dialect's prelude.
 */
export interface PortableFunction {
  readonly name: string;
  readonly parameters: readonly (readonly [string, ValueType])[];
  readonly result: ValueType;
  /** Portable functions that the text calls. */
  readonly calls: readonly PortableFunction[];
  /** Local values in order, then the result's expression. */
  body(dialect: Dialect): { readonly locals: readonly Local[]; readonly value: string };
}

export type Local = readonly [name: string, type: ValueType, expression: string];

export function printFunction(portable: PortableFunction, dialect: Dialect): string {
  const { locals, value } = portable.body(dialect);
  const statements = locals.map(([name, type, expression]) => dialect.declare(name, type, expression));
  return dialect.define(portable.name, portable.parameters, portable.result, [...statements, `return ${value};`]);
}

/** Text of some functions and of all that they call, callees first. */
export function printFunctions(wanted: readonly PortableFunction[], dialect: Dialect): string {
  const printed = new Map<string, string>();
  const visit = (portable: PortableFunction): void => {
    if (printed.has(portable.name)) return;
    for (const callee of portable.calls) visit(callee);
    printed.set(portable.name, printFunction(portable, dialect));
  };
  for (const portable of wanted) visit(portable);
  return [...printed.values()].join("\n\n");
}
