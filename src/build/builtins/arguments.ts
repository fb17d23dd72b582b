/** Arguments of a built-in function, matched to its parameters and read as what it needs. */
import type { Span } from "../../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import { isFloat } from "../../graph/dtype.js";
import type { ValueId } from "../../graph/node.js";
import { formatShape, type Shape } from "../../graph/shape.js";
import { constantOf } from "../arithmetic.js";
import { type Context, fail } from "../context.js";
import type { GivenArgument } from "../signature.js";
import { emit, operandLabels } from "../trace.js";
import { describeValue, type TensorValue, type Value } from "../values.js";

export class Arguments {
  readonly #given = new Map<string, GivenArgument>();
  readonly rest: readonly GivenArgument[];

  /**
   * `parameters` in order; a name with `?` may be left out, and `*` collects further positional arguments. With `open`, other named
   * arguments are allowed (`rearrange(x, "..", h: 4)`).
   */
  constructor(
    readonly context: Context,
    readonly name: string,
    parameters: readonly string[],
    given: readonly GivenArgument[],
    readonly span: Span,
    open = false,
  ) {
    const names = parameters.map((parameter) => parameter.replace(/[?*]$/, ""));
    const collects = parameters.at(-1)?.endsWith("*") ?? false;
    const rest: GivenArgument[] = [];
    let position = 0;
    for (const argument of given) {
      const name = argument.name ? argument.name.text : names[position];
      if (!argument.name && (position >= names.length || (collects && position >= names.length - 1))) {
        if (!collects)
          fail(context, messages.tooManyArguments, argument.span, {
            callee: this.name,
            count: names.length,
            given: given.length,
          });
        rest.push(argument);
      } else if (argument.name && !names.includes(name!) && open) {
        rest.push(argument);
      } else if (argument.name && (!names.includes(name!) || this.#given.has(name!))) {
        fail(context, messages.unknownArgument, argument.name.span, { callee: this.name, name: name!, known: names });
      } else this.#given.set(name!, argument);
      if (!argument.name) position++;
    }
    this.rest = rest;
    for (const [place, parameter] of parameters.entries()) {
      const optional = /[?*]$/.test(parameter);
      if (!optional && !this.#given.has(names[place]!)) {
        fail(context, messages.missingArgument, span, { callee: this.name, name: names[place]! });
      }
    }
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }

  value(name: string): Value {
    return this.#given.get(name)!.value;
  }

  spanOf(name: string): Span {
    return this.#given.get(name)?.span ?? this.span;
  }

  refuse(name: string, expected: string): never {
    return fail(this.context, messages.argumentKind, this.spanOf(name), {
      name,
      expected,
      found: describeValue(this.value(name)),
    });
  }

  tensor(name: string): TensorValue {
    const value = this.value(name);
    return value.kind === "tensor" ? value : this.refuse(name, "a tensor");
  }

  /** A float tensor. */
  floats(name: string): TensorValue {
    const value = this.tensor(name);
    return isFloat(value.dtype) ? value : this.refuse(name, "a float tensor; float(x) makes one");
  }

  /** A tensor, or a number as a scalar of the dtype of `like`. */
  tensorLike(name: string, like: TensorValue): TensorValue {
    const value = this.value(name);
    if (value.kind === "tensor")
      return value.dtype === like.dtype ? value : this.refuse(name, `a tensor like ${describeValue(like)}`);
    return (
      constantOf(this.context, value, like.dtype, [], this.spanOf(name)) ?? this.refuse(name, "a tensor or a number")
    );
  }

  int(name: string, fallback?: number): number {
    if (!this.has(name) && fallback !== undefined) return fallback;
    const value = this.value(name);
    return value.kind === "int" ? value.value : this.refuse(name, "an int");
  }

  /** An int of at least 0. */
  size(name: string): number {
    const value = this.int(name);
    return value >= 0 ? value : this.refuse(name, "an int of at least 0");
  }

  number(name: string, fallback?: number): number {
    if (!this.has(name) && fallback !== undefined) return fallback;
    const value = this.value(name);
    return value.kind === "int" || value.kind === "float" ? value.value : this.refuse(name, "a number");
  }

  flag(name: string, fallback: boolean): boolean {
    if (!this.has(name)) return fallback;
    const value = this.value(name);
    return value.kind === "bool" ? value.value : this.refuse(name, "true or false");
  }

  text(name: string): string {
    const value = this.value(name);
    return value.kind === "string" ? value.value : this.refuse(name, "a string");
  }

  ints(name: string): number[] {
    const value = this.value(name);
    if (value.kind !== "list" && value.kind !== "tuple") return this.refuse(name, "a list of ints");
    return value.items.map((item) => (item.kind === "int" ? item.value : this.refuse(name, "a list of ints")));
  }

  /** A shape: a list of sizes of at least 0. */
  shape(name: string): Shape {
    const sizes = this.ints(name);
    return sizes.every((size) => size >= 0) ? sizes : this.refuse(name, "a list of sizes of at least 0");
  }

  tensors(name: string): TensorValue[] {
    const value = this.value(name);
    if ((value.kind !== "list" && value.kind !== "tuple") || value.items.length === 0)
      return this.refuse(name, "a list of tensors");
    return value.items.map((item) => (item.kind === "tensor" ? item : this.refuse(name, "a list of tensors")));
  }

  /** An axis of `tensor`; negative ones count from the end. */
  axis(name: string, tensor: { readonly shape: Shape }, fallback: number): number {
    return this.axisNumber(this.int(name, fallback), tensor, name);
  }

  axisNumber(axis: number, tensor: { readonly shape: Shape }, name: string): number {
    const rank = tensor.shape.length;
    if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
    return fail(this.context, messages.axisOutOfRange, this.spanOf(name), { axis, shape: formatShape(tensor.shape) });
  }

  /** Adds nodes for this call. */
  emit(operands: readonly TensorValue[], build: (builder: GraphBuilder) => ValueId): TensorValue {
    return emit(this.context, this.span, operands, build);
  }

  labels(...operands: readonly TensorValue[]) {
    return operandLabels(operands);
  }
}

/** A built-in function: its parameters (see `Arguments`) and what it does. */
export interface Builtin {
  readonly parameters: readonly string[];
  readonly open?: boolean;
  readonly run: (given: Arguments) => Value;
}
