import type { Span } from "../../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import { type Context, fail } from "../context.js";
import type { GivenArgument } from "../signature.js";
import { float, none, type Value } from "../values.js";
import { Arguments, type Builtin } from "./arguments.js";
import { creationBuiltins } from "./creation.js";
import { derivativeBuiltins } from "./derivatives.js";
import { elementwiseBuiltins } from "./elementwise.js";
import { instanceBuiltins } from "./instances.js";
import { movementBuiltins } from "./movement.js";
import { operatorBuiltins } from "./operators.js";
import { productBuiltins } from "./products.js";
import { reductionBuiltins } from "./reductions.js";
import { staticBuiltins } from "./static.js";
import { trainingBuiltins } from "./training.js";

/** Every built-in function by name. Tables are joined on first use: their modules import each other. */
let table: ReadonlyMap<string, Builtin> | undefined;

function builtins(): ReadonlyMap<string, Builtin> {
  table ??= new Map(
    Object.entries({
      ...elementwiseBuiltins,
      ...reductionBuiltins,
      ...movementBuiltins,
      ...productBuiltins,
      ...creationBuiltins,
      ...instanceBuiltins,
      ...derivativeBuiltins,
      ...operatorBuiltins,
      ...staticBuiltins,
      ...trainingBuiltins,
    }),
  );
  return table;
}

export const builtinNames = (): readonly string[] => [...builtins().keys()];

export const isBuiltin = (name: string): boolean => builtins().has(name);

/** `pi` and `none`. */
export function namedConstant(name: string): Value | undefined {
  if (name === "pi") return float(Math.PI);
  return name === "none" ? none : undefined;
}

export function runBuiltin(context: Context, name: string, given: readonly GivenArgument[], span: Span): Value {
  const builtin = builtins().get(name);
  if (!builtin) return fail(context, messages.unknownName, span, { name });
  return builtin.run(new Arguments(context, name, builtin.parameters, given, span, builtin.open ?? false));
}
