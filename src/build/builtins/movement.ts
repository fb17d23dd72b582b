/** Rearranging numbers without changing them. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import { elementCount, formatShape, type Shape } from "../../graph/shape.js";
import * as operations from "../../primitives/operations.js";
import { fail } from "../context.js";
import { bindAxes, type Group, isEllipsis, parsePattern } from "../einops.js";
import { type TensorValue, tuple, type Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

const reshape: Builtin = {
  parameters: ["x", "shape"],
  run: (given) => {
    const x = given.tensor("x");
    const sizes = given.ints("shape");
    const count = elementCount(x.shape);
    const known = elementCount(sizes.filter((size) => size !== -1));
    const open = sizes.filter((size) => size === -1).length;
    const shape = sizes.map((size) => (size === -1 ? count / known : size));
    if (open > 1 || shape.some((size) => !Number.isInteger(size) || size < 0) || elementCount(shape) !== count) {
      const values = { from: formatShape(x.shape), to: formatShape(sizes), count, wanted: known };
      return fail(given.context, messages.reshapeCount, given.span, values, given.labels(x));
    }
    return given.emit([x], (builder) => operations.reshape(builder, x.id, shape));
  },
};

/** Sizes given by name after the pattern. */
function namedSizes(given: Arguments): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const argument of given.rest) {
    const { value } = argument;
    const pattern = given.text("pattern");
    if (!argument.name || value.kind !== "int") {
      return fail(given.context, messages.badPattern, argument.span, {
        pattern,
        reason: "sizes are ints given by name",
      });
    }
    sizes.set(argument.name.text, value.value);
  }
  return sizes;
}

/**
 * Splits, permutes, repeats and joins the axes of one tensor. `repeating` allows axes on the right that the left has not; otherwise both
 * sides have the same ones.
 */
function rearrangement(repeating: boolean): Builtin {
  return {
    parameters: ["x", "pattern"],
    open: true,
    run: (given) => {
      const x = given.tensor("x");
      const text = given.text("pattern");
      const span = given.spanOf("pattern");
      const pattern = parsePattern(given.context, text, span);
      const refuse = (reason: string): never =>
        fail(given.context, messages.badPattern, span, { pattern: text, reason });
      const [groups] = pattern.inputs;
      if (!groups || pattern.inputs.length !== 1) return refuse("it describes one tensor");
      const sizes = namedSizes(given);
      const before = new Set(groups.flat());
      const after = new Set(pattern.output.flat());
      for (const name of sizes.keys()) if (!before.has(name) && !after.has(name)) refuse(`it has no axis ${name}`);
      for (const name of before) if (!after.has(name)) refuse(`axis ${name} is missing on the right`);
      for (const name of after) {
        if (before.has(name)) continue;
        if (!repeating) refuse(`axis ${name} is missing on the left`);
        if (!sizes.has(name)) refuse(`the size of ${name} is not known; give it by name`);
      }
      const leading = bindAxes(given.context, text, groups, x.shape, sizes, span);
      const spell = (list: readonly Group[]): string[] =>
        list.flatMap((group) => (isEllipsis(group) ? leading.map((_, axis) => `...${axis}`) : group));
      for (const [axis, size] of leading.entries()) sizes.set(`...${axis}`, size);
      const from = spell(groups);
      const to = spell(pattern.output);
      const kept = to.filter((name) => from.includes(name));
      const joined: Shape = pattern.output.flatMap((group) =>
        isEllipsis(group) ? leading : [elementCount(group.map((name) => sizes.get(name)!))],
      );
      const size = (name: string) => sizes.get(name)!;
      return given.emit([x], (builder) => {
        const apart = operations.reshape(builder, x.id, from.map(size));
        const ordered = operations.transpose(
          builder,
          apart,
          kept.map((name) => from.indexOf(name)),
        );
        const repeated = operations.broadcast(
          builder,
          ordered,
          to.map(size),
          kept.map((name) => to.indexOf(name)),
        );
        return operations.reshape(builder, repeated, joined);
      });
    },
  };
}

const transpose: Builtin = {
  parameters: ["x", "permutation"],
  run: (given) => {
    const x = given.tensor("x");
    const axes = given.ints("permutation").map((axis) => given.axisNumber(axis, x, "permutation"));
    if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
      return given.refuse("permutation", `a permutation of the ${x.shape.length} axes`);
    }
    return given.emit([x], (builder) => operations.transpose(builder, x.id, axes));
  },
};

function agree(given: Arguments, parts: readonly TensorValue[], axis: number | undefined): void {
  const [first] = parts;
  for (const part of parts) {
    const fits =
      part.dtype === first!.dtype &&
      part.shape.length === first!.shape.length &&
      part.shape.every((size, other) => other === axis || size === first!.shape[other]);
    if (fits) continue;
    const values = { name: given.name, shapes: parts.map(({ shape }) => formatShape(shape)).join(", ") };
    fail(given.context, messages.concatShapes, given.span, values, given.labels(...parts));
  }
}

const concat: Builtin = {
  parameters: ["tensors", "axis?"],
  run: (given) => {
    const parts = given.tensors("tensors");
    const axis = given.axis("axis", parts[0]!, 0);
    agree(given, parts, axis);
    return given.emit(parts, (builder) =>
      operations.concat(
        builder,
        parts.map(({ id }) => id),
        axis,
      ),
    );
  },
};

const stack: Builtin = {
  parameters: ["tensors", "axis?"],
  run: (given) => {
    const parts = given.tensors("tensors");
    const { shape } = parts[0]!;
    const axis = given.axis("axis", { shape: [...shape, 1] }, 0);
    agree(given, parts, undefined);
    const single = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
    return given.emit(parts, (builder) =>
      operations.concat(
        builder,
        parts.map(({ id }) => operations.reshape(builder, id, single)),
        axis,
      ),
    );
  },
};

const split: Builtin = {
  parameters: ["x", "sizes", "axis?"],
  run: (given) => {
    const x = given.tensor("x");
    const axis = given.axis("axis", x, -1);
    const size = x.shape[axis]!;
    const count = given.value("sizes");
    const sizes =
      count.kind === "int" ? Array.from({ length: count.value }, () => size / count.value) : given.ints("sizes");
    const total = sizes.reduce((sum, part) => sum + part, 0);
    if (
      sizes.length === 0 ||
      sizes.some((part) => !Number.isInteger(part) || part < 0) ||
      Math.abs(total - size) > 1e-9
    ) {
      const values = { size, parts: count.kind === "int" ? `${count.value} equal parts` : formatShape(sizes) };
      return fail(given.context, messages.splitSizes, given.span, values, given.labels(x));
    }
    let start = 0;
    return tuple(
      sizes.map((part): Value => {
        const [from, to] = [start, start + part];
        start = to;
        return given.emit([x], (builder) => operations.sliceAxis(builder, x.id, axis, from, to));
      }),
    );
  },
};

const pad: Builtin = {
  parameters: ["x", "widths"],
  run: (given) => {
    const x = given.tensor("x");
    const value = given.value("widths");
    const refuse = () => given.refuse("widths", "one [low, high] per axis, each at least 0");
    if (value.kind !== "list" || value.items.length !== x.shape.length) return refuse();
    const widths = value.items.map((item) => {
      if (item.kind !== "list" && item.kind !== "tuple") return refuse();
      const [low, high] = item.items;
      if (item.items.length !== 2 || low?.kind !== "int" || high?.kind !== "int" || low.value < 0 || high.value < 0)
        return refuse();
      return [low.value, high.value] as const;
    });
    return given.emit([x], (builder) =>
      operations.pad(
        builder,
        x.id,
        widths.map(([low]) => low),
        widths.map(([, high]) => high),
      ),
    );
  },
};

export const movementBuiltins: Readonly<Record<string, Builtin>> = {
  reshape,
  rearrange: rearrangement(false),
  repeat: rearrangement(true),
  transpose,
  broadcast: {
    parameters: ["x", "shape"],
    run: (given) => {
      const x = given.tensor("x");
      const shape = given.shape("shape");
      return given.emit([x], (builder) => operations.broadcastTo(builder, x.id, shape));
    },
  },
  concat,
  stack,
  split,
  pad,
};
