/** Functions of operators. */
import { mergedOperator } from "../merge.js";
import type { Builtin } from "./arguments.js";

const merge: Builtin = {
  parameters: ["operator"],
  run: (given) => {
    const operator = given.value("operator");
    if (operator.kind !== "operator") return given.refuse("operator", "an operator such as memory(tokens)");
    return mergedOperator(given.context, operator, given.span);
  },
};

export const operatorBuiltins: Readonly<Record<string, Builtin>> = { merge };
