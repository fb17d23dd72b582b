/** The one list of algebraic laws, by primitive. Within a primitive the first that applies wins. */
import type { PrimitiveName } from "../../primitives/names.js";
import { arithmeticRules } from "./arithmetic.js";
import { contractionRules } from "./contraction.js";
import { elementwiseRules } from "./elementwise.js";
import { logicRules } from "./logic.js";
import { movementRules } from "./movement.js";
import { reductionRules } from "./reductions.js";
import type { AnyRule, RuleTable } from "./rule.js";
import { sliceRules } from "./slices.js";

export const allRules: readonly AnyRule[] = [
  ...elementwiseRules,
  ...arithmeticRules,
  ...logicRules,
  ...movementRules,
  ...sliceRules,
  ...reductionRules,
  ...contractionRules,
];

export function ruleTable(list: readonly AnyRule[]): RuleTable {
  const table = new Map<PrimitiveName, AnyRule[]>();
  for (const rule of list) {
    const known = table.get(rule.primitive);
    if (known) known.push(rule);
    else table.set(rule.primitive, [rule]);
  }
  return table;
}
