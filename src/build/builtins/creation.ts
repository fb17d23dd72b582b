/** Tensors made from nothing, random draws, and the initializers that share their names. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import type { Dtype } from "../../graph/dtype.js";
import type { Shape } from "../../graph/shape.js";
import * as operations from "../../primitives/operations.js";
import { type Context, fail } from "../context.js";
import { requireHolds } from "../limits.js";
import { draw } from "../shares.js";
import { traceOf } from "../trace.js";
import type { InitializerValue, ScheduleValue, Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

const initializer = (value: InitializerValue["initializer"]): InitializerValue => ({
  kind: "initializer",
  initializer: value,
});

/** `zeros([n])` is a tensor, `zeros()` an initializer. */
function filled(value: 0 | 1): Builtin {
  return {
    parameters: ["shape?"],
    run: (given) => {
      if (!given.has("shape")) return initializer(value === 0 ? { kind: "zeros" } : { kind: "constant", value });
      const shape = given.shape("shape");
      return given.emit([], (builder) => operations.constant(builder, value, shape));
    },
  };
}

/** `uniform([n], key: "k")` draws, `uniform(bound: b)` is an initializer. */
function drawn(distribution: "uniform" | "normal", argument: "bound" | "std"): Builtin {
  return {
    parameters: ["shape?", "like?", "key?", `${argument}?`],
    run: (given) => {
      if (given.has(argument)) {
        const value = given.number(argument);
        if (value < 0) return given.refuse(argument, "at least 0");
        return initializer(
          distribution === "uniform" ? { kind: "uniform", bound: value } : { kind: "normal", std: value },
        );
      }
      const shape = given.has("like") ? given.tensor("like").shape : shapeOrNumber(given);
      if (typeof shape === "number") {
        return initializer(
          distribution === "uniform" ? { kind: "uniform", bound: shape } : { kind: "normal", std: shape },
        );
      }
      const trace = traceOf(given.context, given.span);
      const path = callPath(given.context);
      const name = given.has("key") ? given.text("key") : `${path}#${trace.ordinal(path)}`;
      const key = hash(name);
      return draw(given.context, given.span, shape, (builder, shape) => {
        const seed = builder.add("scalar", [], { name: "seed" });
        const step = builder.add("scalar", [], { name: "step" });
        const row = builder.add("instance_index", [], {});
        return builder.add("random", [seed, step, row], { distribution, key, shape });
      });
    },
  };
}

/** `normal(0.02)` is an initializer too. */
function shapeOrNumber(given: Arguments): Shape | number {
  const value = given.has("shape") ? given.value("shape") : undefined;
  if (value?.kind === "int" || value?.kind === "float") return value.value;
  if (!value) return 1;
  return given.shape("shape");
}

/** The calls that led to a draw, without the entry point's own name: so every variant of an entry point sees the same noise. */
const callPath = (context: Context): string =>
  context.frames
    .slice(1)
    .map(({ what }) => what)
    .join("/");

/** FNV-1a, 32 bits, of the text's UTF-16 code units' low and high bytes. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) {
    const unit = text.charCodeAt(place);
    for (const byte of unit > 255 ? [unit & 255, unit >> 8] : [unit]) {
      state = Math.imul(state ^ byte, 0x01000193) >>> 0;
    }
  }
  return state;
}

/** A nested list of numbers as a table: ints, unless one is a float; or truth values. */
const literal: Builtin = {
  parameters: ["values"],
  run: (given) => {
    const refuse = (): never => fail(given.context, messages.badLiteral, given.span, {});
    const shape: number[] = [];
    for (let level: Value | undefined = given.value("values"); level?.kind === "list"; level = level.items[0]) {
      shape.push(level.items.length);
    }
    const kinds = new Set<string>();
    const values: number[] = [];
    const read = (value: Value, depth: number): void => {
      if (value.kind === "list" && depth < shape.length && value.items.length === shape[depth]) {
        for (const item of value.items) read(item, depth + 1);
      } else if ((value.kind === "int" || value.kind === "float" || value.kind === "bool") && depth === shape.length) {
        kinds.add(value.kind);
        values.push(Number(value.value));
      } else refuse();
    };
    read(given.value("values"), 0);
    if (kinds.has("bool") && kinds.size > 1) refuse();
    const dtype: Dtype = kinds.has("bool") ? "bool" : kinds.has("float") || kinds.size === 0 ? "f32" : "i32";
    for (const value of values) requireHolds(given.context, value, dtype, given.span);
    return given.emit([], (builder) => builder.add("table", [], { dtype, shape, values }));
  },
};

const oneHot: Builtin = {
  parameters: ["index", "n"],
  run: (given) => {
    const indices = given.tensor("index");
    const size = given.size("n");
    if (indices.dtype !== "i32") return given.refuse("index", "an int tensor");
    const shape = [...indices.shape, size];
    return given.emit([indices], (builder: GraphBuilder) => {
      const column = operations.reshape(builder, indices.id, [...indices.shape, 1]);
      const positions = operations.iota(builder, shape, shape.length - 1);
      return operations.cast(builder, operations.equal(builder, column, positions), "f32");
    });
  },
};

/** `constant(0.1)` is an initializer, `constant(warmup: 100)` a schedule. */
const constant: Builtin = {
  parameters: ["value?", "warmup?"],
  run: (given): InitializerValue | ScheduleValue => {
    if (given.has("value")) return initializer({ kind: "constant", value: given.number("value") });
    return {
      kind: "schedule",
      schedule: { kind: "constant", warmup: given.has("warmup") ? given.size("warmup") : 0, from: 0, final: 0 },
    };
  },
};

export const creationBuiltins: Readonly<Record<string, Builtin>> = {
  zeros: filled(0),
  ones: filled(1),
  full: {
    parameters: ["shape", "value"],
    run: (given) => {
      const shape = given.shape("shape");
      const value = given.value("value");
      const dtype: Dtype = value.kind === "int" ? "i32" : value.kind === "bool" ? "bool" : "f32";
      const number = value.kind === "bool" ? Number(value.value) : given.number("value");
      requireHolds(given.context, number, dtype, given.spanOf("value"));
      return given.emit([], (builder) => operations.constant(builder, number, shape, dtype));
    },
  },
  arange: {
    parameters: ["n"],
    run: (given) => {
      const count = given.size("n");
      return given.emit([], (builder) => operations.iota(builder, [count], 0));
    },
  },
  tensor: literal,
  one_hot: oneHot,
  uniform: drawn("uniform", "bound"),
  normal: drawn("normal", "std"),
  constant,
  kaiming: { parameters: [], run: () => initializer({ kind: "kaiming" }) },
  xavier: { parameters: [], run: () => initializer({ kind: "xavier" }) },
  orthogonal: {
    parameters: ["gain?"],
    run: (given) => initializer({ kind: "orthogonal", gain: given.number("gain", 1) }),
  },
  distinct: { parameters: ["below"], run: (given) => initializer({ kind: "distinct", below: given.size("below") }) },
};
