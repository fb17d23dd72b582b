/** Products of tensors: named contractions and attention. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import type { ValueId } from "../../graph/node.js";
import type { Shape } from "../../graph/shape.js";
import * as operations from "../../primitives/operations.js";
import { ShapeError } from "../../primitives/primitive.js";
import { fail } from "../context.js";
import { type Group, isEllipsis, parsePattern } from "../einops.js";
import type { TensorValue } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

const einsum: Builtin = {
  parameters: ["a", "b?", "pattern?"],
  run: (given) => {
    const single = !given.has("b") || !given.has("pattern");
    const name = given.has("pattern") ? "pattern" : "b";
    if (!given.has(name))
      return fail(given.context, messages.missingArgument, given.span, { callee: given.name, name: "pattern" });
    const text = given.text(name);
    const span = given.spanOf(name);
    const operands = single ? [given.floats("a")] : [given.floats("a"), given.floats("b")];
    const pattern = parsePattern(given.context, text, span);
    const refuse = (reason: string): never => fail(given.context, messages.badPattern, span, { pattern: text, reason });
    if (pattern.inputs.length !== operands.length) return refuse(`it describes ${pattern.inputs.length} tensors`);
    for (const group of [...pattern.inputs.flat(), ...pattern.output]) {
      if (group.length !== 1) refuse("einsum has no parentheses; use rearrange before or after");
    }
    // "..." stands for the leading axes of each operand, aligned from the right.
    const extra = operands.map(
      ({ shape }, place) => shape.length - pattern.inputs[place]!.filter((group) => !isEllipsis(group)).length,
    );
    const longest = Math.max(0, ...extra.filter((_, place) => pattern.inputs[place]!.some(isEllipsis)));
    const spell = (groups: readonly Group[], count: number): string[] =>
      groups.flatMap((group) =>
        isEllipsis(group)
          ? Array.from({ length: Math.max(count, 0) }, (_, axis) => `...${axis + longest - count}`)
          : group,
      );
    const labels = operands.map((_, place) => spell(pattern.inputs[place]!, extra[place]!));
    return given.emit(operands, (builder) =>
      operations.einsum(
        builder,
        operands.map(({ id }) => id),
        labels,
        spell(pattern.output, longest),
      ),
    );
  },
};

/**
 * softmax(q k^T scale) v on [..., h, n, d], [..., g, m, d], [..., g, m, e]; g divides h, leading axes broadcast. A mask is true where a
 * query may attend and broadcasts to [..., h, n, m]; one that is true everywhere costs nothing.
 */
const attention: Builtin = {
  parameters: ["q", "k", "v", "mask?", "scale?"],
  run: (given) => {
    const [q, k, v] = [given.floats("q"), given.floats("k"), given.floats("v")];
    const mask = maskOf(given);
    const scale = given.number("scale", 1 / Math.sqrt(q.shape.at(-1) ?? 1));
    const operands = mask ? [q, k, v, mask] : [q, k, v];
    return given.emit(operands, (builder) => {
      if (q.shape.length < 3 || k.shape.length < 3 || v.shape.length < 3) {
        throw new ShapeError("attention takes [..., heads, n, d]: at least three axes");
      }
      const lead = [q, k, v].map(({ shape }): Shape => shape.slice(0, -3)).reduce(operations.broadcastShapes);
      const [queries, keys, values] = [q, k, v].map((tensor) =>
        operations.broadcastTo(builder, tensor.id, [...lead, ...tensor.shape.slice(-3)]),
      );
      const allowed = mask && broadcastMask(builder, mask, [...lead], q, k);
      return operations.attention(builder, queries!, keys!, values!, allowed, scale).output;
    });
  },
};

function maskOf(given: Arguments): TensorValue | undefined {
  if (!given.has("mask")) return undefined;
  const value = given.value("mask");
  if (value.kind === "none" || (value.kind === "bool" && value.value)) return undefined;
  const mask = given.tensor("mask");
  if (mask.dtype !== "bool") return given.refuse("mask", "a bool tensor");
  const known = given.context.trace && operations.constantValue(given.context.trace.builder, mask.id);
  return known === 1 ? undefined : mask;
}

function broadcastMask(
  builder: GraphBuilder,
  mask: TensorValue,
  lead: readonly number[],
  q: TensorValue,
  k: TensorValue,
): ValueId {
  const heads = mask.shape.length >= 3 && mask.shape.at(-3) !== 1 ? q.shape.at(-3)! : 1;
  return operations.broadcastTo(builder, mask.id, [...lead, heads, q.shape.at(-2)!, k.shape.at(-2)!]);
}

export const productBuiltins: Readonly<Record<string, Builtin>> = { einsum, attention };
