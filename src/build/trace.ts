import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { GraphBuilder } from "../graph/builder.js";
import type { ValueId } from "../graph/node.js";
import { elementCount, formatShape } from "../graph/shape.js";
import { ShapeError } from "../primitives/primitive.js";
import { type Context, fail } from "./context.js";
import type { RowScope } from "./each-row.js";
import { mostNumbers, mostOperations } from "./limits.js";
import { defaultBatch } from "./model.js";
import type { AdaptedSite, OperatorValue, TensorValue } from "./values.js";

/** The graph of one entry point while it is traced, and what must be known when it is complete. */
export class Trace {
  readonly builder = new GraphBuilder();
  /** Operators put to use by `with`, by tokens: using the same tokens twice is using them once. */
  readonly applied = new Map<string, OperatorValue>();
  /** Slots read, by tokens. */
  readonly consumed = new Map<string, Set<string>>();
  /** Slot tensors already cut out of tokens. */
  readonly slots = new Map<string, ValueId>();
  /** What `grad` gave, and where it was asked. */
  readonly derivatives = new Map<ValueId, Span>();
  /** Calls of modules chosen row by row that are being traced, outermost first. */
  readonly scopes: RowScope[] = [];
  /** Whether something was asked that only a batch of `instances` answers so. */
  seesInstances = false;
  readonly #ordinals = new Map<string, number>();
  #standIns = 0;

  /** `instances`: how many the batch will have. */
  constructor(readonly instances = defaultBatch) {}

  /** A number for the next random draw at this call path. */
  ordinal(path: string): number {
    const next = this.#ordinals.get(path) ?? 0;
    this.#ordinals.set(path, next + 1);
    return next;
  }

  /** A number for the next stand-in. */
  nextStandIn(): number {
    return this.#standIns++;
  }

  /** Runs `body` as if only the outermost `depth` scopes were there. */
  outside<T>(depth: number, body: () => T): T {
    const inner = this.scopes.splice(depth);
    try {
      return body();
    } finally {
      this.scopes.splice(depth, this.scopes.length, ...inner);
    }
  }

  consume(operator: OperatorValue, site: AdaptedSite, slot: string): void {
    const tokens = tokensKey(operator);
    const known = this.consumed.get(tokens);
    if (known) known.add(slotKey(site, slot));
    else this.consumed.set(tokens, new Set([slotKey(site, slot)]));
  }
}

export const tokensKey = ({ adaptation, tokens }: OperatorValue): string => `${adaptation.path} ${tokens.id}`;

export const slotKey = (site: AdaptedSite, slot: string): string =>
  `${site.application.name} ${site.layer} ${site.leaf} ${site.copy} ${slot}`;

/** The trace in progress; a message when tensors are asked for while structure is built. */
export function traceOf(context: Context, span: Span): Trace {
  return context.trace ?? fail(context, messages.notTraced, span, {});
}

/**
 * Adds nodes for one expression: they carry its place, and a shape that does not fit becomes a message there. `operands` are shown
 * with the places they come from.
 */
export function emit(
  context: Context,
  span: Span,
  operands: readonly TensorValue[],
  build: (builder: GraphBuilder) => ValueId,
): TensorValue {
  const { builder } = traceOf(context, span);
  builder.origin = { path: context.frames.at(-1)?.path ?? "", span };
  try {
    const made = tensorAt(builder, folded(builder, build(builder)), span);
    requireModest(context, builder, made, span);
    return made;
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const text = error.message.replace(/\breduce_(sum|mean|max|min)\b/g, "$1");
    return fail(context, messages.shapeConflict, span, { text }, operandLabels(operands));
  }
}

function requireModest(context: Context, builder: GraphBuilder, { shape }: TensorValue, span: Span): void {
  if (elementCount(shape) > mostNumbers) {
    fail(context, messages.tooLarge, span, { what: "the tensor", shape: formatShape(shape) });
  }
  if (builder.producers.length > mostOperations) {
    const what = `this entry point has come to ${builder.producers.length} operations`;
    fail(context, messages.tooLong, span, { what, most: mostOperations });
  }
}

/** A moved constant is a constant: so a mask that is true everywhere is seen to be one however it was reshaped. */
function folded(builder: GraphBuilder, id: ValueId): ValueId {
  let value = id;
  for (;;) {
    const node = builder.producers[value]!;
    switch (node.primitive) {
      case "reshape":
      case "transpose":
      case "broadcast":
      case "slice":
        value = node.inputs[0]!;
        continue;
      case "constant": {
        const { dtype, shape } = builder.type(id);
        return value === id ? id : builder.add("constant", [], { dtype, shape, value: node.attributes.value });
      }
      default:
        return id;
    }
  }
}

export function tensorAt(builder: GraphBuilder, id: ValueId, span: Span): TensorValue {
  const { dtype, shape } = builder.type(id);
  return { kind: "tensor", id, dtype, shape, span };
}

/** Where each operand was made, and its shape. */
export function operandLabels(operands: readonly TensorValue[]) {
  return operands.map((operand) => ({ span: operand.span, text: `this is ${formatShape(operand.shape)}` }));
}
