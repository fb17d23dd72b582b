/** Functions of compile-time values. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import { fail } from "../context.js";
import { requireLength } from "../limits.js";
import type { Initializer } from "../model.js";
import { describeValue, int, list, string, tuple, type Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

function itemsOf(given: Arguments, value: Value): readonly Value[] {
  if (value.kind === "list" || value.kind === "tuple") return value.items;
  const values = { name: given.name, expected: "a list", found: describeValue(value) };
  return fail(given.context, messages.argumentKind, given.span, values);
}

const range: Builtin = {
  parameters: ["start?", "stop?", "step?"],
  run: (given) => {
    if (!given.has("start") && !given.has("stop"))
      return fail(given.context, messages.missingArgument, given.span, { callee: given.name, name: "stop" });
    const [start, stop] = given.has("stop") ? [given.int("start", 0), given.int("stop")] : [0, given.int("start")];
    const step = given.int("step", 1);
    if (step === 0) return given.refuse("step", "a step other than 0");
    requireLength(given.context, Math.ceil((stop - start) / step), given.span);
    const items: Value[] = [];
    for (let value = start; step > 0 ? value < stop : value > stop; value += step) items.push(int(value));
    return list(items);
  },
};

/** An initializer given as such or as a number; only what a slot may start with. */
function slotStart(given: Arguments): Initializer & { readonly kind: "zeros" | "constant" | "normal" } {
  const value = given.value("initializer");
  if (value.kind === "initializer") {
    const { initializer } = value;
    if (initializer.kind === "zeros" || initializer.kind === "constant" || initializer.kind === "normal")
      return initializer;
  }
  return given.refuse("initializer", "zeros(), constant(c) or normal(std)");
}

export const staticBuiltins: Readonly<Record<string, Builtin>> = {
  range,
  zip: {
    parameters: ["lists*"],
    run: (given) => {
      const lists = given.rest.map(({ value }) => itemsOf(given, value));
      const length = lists.length === 0 ? 0 : Math.min(...lists.map((items) => items.length));
      return list(Array.from({ length }, (_, place) => tuple(lists.map((items) => items[place]!))));
    },
  },
  enumerate: {
    parameters: ["list"],
    run: (given) => list(itemsOf(given, given.value("list")).map((item, place) => tuple([int(place), item]))),
  },
  len: {
    parameters: ["list"],
    run: (given) => {
      const value = given.value("list");
      return int(value.kind === "string" ? value.value.length : itemsOf(given, value).length);
    },
  },
  str: {
    parameters: ["x"],
    run: (given) => {
      const value = given.value("x");
      if (value.kind === "string") return value;
      if (value.kind === "int" || value.kind === "float" || value.kind === "bool") return string(`${value.value}`);
      return given.refuse("x", "a number, a truth value or a string");
    },
  },
  // A generated slot starts as its generator's head makes it: weight 0 and bias 0, weight 0 and bias c, or a weight that gives unit
  // normal features the slot's spread.
  generated_weight: {
    parameters: ["initializer", "fan_in"],
    run: (given) => {
      const start = slotStart(given);
      const std = start.kind === "normal" ? start.std / Math.sqrt(given.int("fan_in")) : 0;
      return { kind: "initializer", initializer: std > 0 ? { kind: "normal", std } : { kind: "zeros" } };
    },
  },
  generated_bias: {
    parameters: ["initializer"],
    run: (given) => {
      const start = slotStart(given);
      return { kind: "initializer", initializer: start.kind === "constant" ? start : { kind: "zeros" } };
    },
  },
};
