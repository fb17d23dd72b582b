/** `experts[index](x)`: equal modules of which every row chooses one. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Origin } from "../graph/node.js";
import { elementCount, formatShape, sameShape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { callMethod } from "./call.js";
import { type Context, fail, within } from "./context.js";
import { forAllRows, RowScope, SeesBatch } from "./each-row.js";
import { type Correspondence, correspondence } from "./equal-modules.js";
import { moduleMember } from "./member.js";
import { share } from "./shares.js";
import type { GivenArgument } from "./signature.js";
import { emit, operandLabels, tensorAt, traceOf } from "./trace.js";
import {
  describeValue,
  formatTensor,
  type IndexedValue,
  type Instance,
  list,
  type ModuleValue,
  moduleValue,
  type Overrides,
  overridesOf,
  type TensorValue,
  tuple,
  type Value,
} from "./values.js";

/** The modules of a list, to be chosen by an int tensor. */
export function chooseModules(context: Context, items: readonly Value[], index: TensorValue, span: Span): IndexedValue {
  if (index.dtype !== "i32") {
    return fail(context, messages.wrongKind, span, {
      expected: "an int or an int tensor",
      found: describeValue(index),
    });
  }
  const modules = items.flatMap((item) => (item.kind === "module" ? [item] : []));
  if (modules.length < items.length || modules.length === 0) {
    const other = items.find((item) => item.kind !== "module");
    const reason = other ? `this one holds ${describeValue(other)}` : "this one is empty";
    return fail(context, messages.unequalModules, span, { reason });
  }
  requireEqual(context, modules, span);
  return { kind: "indexed", modules, index, span };
}

function requireEqual(context: Context, modules: readonly ModuleValue[], span: Span): Correspondence {
  const found = correspondence(modules as readonly [ModuleValue, ...ModuleValue[]]);
  return typeof found === "string" ? fail(context, messages.unequalModules, span, { reason: found }) : found;
}

/** A member of modules chosen by row: what is a module in each is chosen in turn, what is the same in all is that. */
export function indexedMember(context: Context, object: IndexedValue, name: string, span: Span): Value | undefined {
  const { modules, index } = object;
  const members = modules.map((module) => moduleMember(module, name));
  const among = (values: readonly (Value | undefined)[]): Value | undefined => {
    const [first] = values;
    switch (first?.kind) {
      case "module":
        return { kind: "indexed", modules: values as readonly ModuleValue[], index, span };
      case "list":
      case "tuple": {
        const items = first.items.map(
          (_, place) => among(values.map((value) => (value as typeof first).items[place])!)!,
        );
        return first.kind === "list" ? list(items) : tuple(items);
      }
      case "method":
        return { ...object, method: name };
      case "weight":
      case "tensor":
        return fail(context, messages.readByRow, span, { name });
      default:
        return first;
    }
  };
  return among(members);
}

/** Sends every row of the arguments through the module that the index names for it. */
export function callByRow(context: Context, callee: IndexedValue, given: readonly GivenArgument[], span: Span): Value {
  const { modules, index, method = "forward" } = callee;
  const trace = traceOf(context, span);
  const rows = elementCount(index.shape);
  const flat = emit(context, callee.span, [index], (builder) => operations.reshape(builder, index.id, [rows]));
  const { instances, definitions, overrides } = requireEqual(context, modules, callee.span);
  const scope = new RowScope(trace, modules.length, rows, flat.id, instances, definitions);
  const ofRow = given.map((argument) => ({
    ...argument,
    value: rowOf(context, scope, callee, argument.value, argument),
  }));
  const first = trace.builder.nodes.length;
  const frame = { path: context.frames.at(-1)?.path ?? "", what: "for one row", span, how: "its module chosen here" };
  const refuse = () => fail(context, messages.tooDeep, span, { name: method });
  const result = within(context, frame, refuse, () => {
    trace.scopes.push(scope);
    try {
      const self = moduleValue(
        modules[0]!.instance,
        sharedOverrides(context, overrides, instances, span),
        modules[0]!.level,
      );
      return callMethod(context, self, method, ofRow, span);
    } finally {
      trace.scopes.pop();
    }
  });
  const tensors = tensorsIn(result);
  try {
    const whole = forAllRows(
      scope,
      tensors.map(({ id }) => id),
      first,
      starred(modules),
    );
    const values = new Map(tensors.map((tensor, place) => [tensor, whole[place]!]));
    return withTensors(result, (tensor) =>
      emit(context, span, [], (builder) => {
        const id = values.get(tensor)!;
        return operations.reshape(builder, id, [...index.shape, ...builder.shape(id).slice(1)]);
      }),
    );
  } catch (error) {
    if (!(error instanceof SeesBatch)) throw error;
    return fail(context, messages.rowsSeeNoBatch, error.node.origin?.span ?? span, {});
  }
}

/** An argument as one row sees it. */
function rowOf(
  context: Context,
  scope: RowScope,
  { index }: IndexedValue,
  value: Value,
  argument: GivenArgument,
): Value {
  if (value.kind === "list")
    return list(value.items.map((item) => rowOf(context, scope, { index } as IndexedValue, item, argument)));
  if (value.kind === "tuple")
    return tuple(value.items.map((item) => rowOf(context, scope, { index } as IndexedValue, item, argument)));
  if (value.kind !== "tensor") return value;
  const rank = index.shape.length;
  if (!sameShape(value.shape.slice(0, rank), index.shape)) {
    const values = { index: formatShape(index.shape), found: formatTensor(value) };
    return fail(context, messages.rowsDisagree, argument.span, values, operandLabels([index, value]));
  }
  const shape = [scope.rows, ...value.shape.slice(rank)];
  const flat = emit(context, argument.span, [value], (builder) => operations.reshape(builder, value.id, shape));
  return { ...tensorAt(scope.trace.builder, scope.row(flat.id), value.span) };
}

/** Tensors in the place of stored ones, where every module has its own. */
function sharedOverrides(
  context: Context,
  overrides: Overrides,
  instances: ReadonlyMap<Instance, readonly Instance[]>,
  span: Span,
): Overrides {
  const depth = context.trace!.scopes.length - 1;
  const result = new Map(overrides);
  for (const [instance, peers] of instances) {
    const own = overrides.get(instance);
    if (!own || own.weights.size === 0) continue;
    const weights = [...own.weights.keys()].map((name): [string, TensorValue] => {
      const members = peers.map((peer) => overrides.get(peer)!.weights.get(name)!);
      return [name, share(context, depth, `${instance.path} ${name}`, span, () => members)];
    });
    result.set(instance, { ...own, weights: new Map(weights) });
  }
  return overridesOf(result, overrides.stage);
}

function tensorsIn(value: Value): TensorValue[] {
  if (value.kind === "tensor") return [value];
  return value.kind === "list" || value.kind === "tuple" ? value.items.flatMap(tensorsIn) : [];
}

function withTensors(value: Value, replace: (tensor: TensorValue) => TensorValue): Value {
  if (value.kind === "tensor") return replace(value);
  if (value.kind === "list") return list(value.items.map((item) => withTensors(item, replace)));
  if (value.kind === "tuple") return tuple(value.items.map((item) => withTensors(item, replace)));
  return value;
}

/** Says that nodes come from all of the modules: `experts.*.up` for `experts.0.up`. */
function starred(modules: readonly ModuleValue[]): (origin: Origin | undefined) => Origin | undefined {
  const [first, second] = modules.map(({ instance }) => instance.path);
  if (!first || !second) return (origin) => origin;
  const other = second.split(".");
  const star = first
    .split(".")
    .map((part, place) => (part === other[place] ? part : "*"))
    .join(".");
  return (origin) => {
    if (!origin || !`${origin.path}.`.startsWith(`${first}.`)) return origin;
    return { ...origin, path: star + origin.path.slice(first.length) };
  };
}
