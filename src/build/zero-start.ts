/**
 * Whether an adapted module equals its base at the start. For every interface, kind of module and replaced method, base and adapted module are traced
 * into one graph with the slots as they start, and simplified: the same node is a proof. What algebra does not prove is
 * compared on numbers.
 */
import type { Diagnostic } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import type { TensorType } from "../../dsl/syntax/tree.js";
import type { Dtype } from "../graph/dtype.js";
import type { Graph } from "../graph/graph.js";
import { elementCount, type Shape } from "../graph/shape.js";
import { provenEqual } from "../passes/equivalence.js";
import { simplify } from "../passes/simplify.js";
import * as operations from "../primitives/operations.js";
import type { BuiltModel } from "./build.js";
import { callMethod } from "./call.js";
import type { Context } from "./context.js";
import { evaluate } from "./evaluate.js";
import { moduleScope } from "./member.js";
import type { Initializer } from "./model.js";
import { tokenShape } from "./operator.js";
import { Scope } from "./scope.js";
import type { GivenArgument } from "./signature.js";
import { Trace, tensorAt } from "./trace.js";
import { dtypeOf, resolveType } from "./types.js";
import {
  type Adaptation,
  type AdaptedSite,
  int,
  moduleValue,
  type OperatorValue,
  type Override,
  overridesOf,
  type TensorValue,
  type Value,
} from "./values.js";

export type ZeroStart = "proven by substitution" | "checked numerically" | "changed" | "too large to check";

export interface ZeroStartReport {
  readonly adaptation: string;
  readonly interface: string;
  /** First of the sites that this stands for, and how many they are. */
  readonly site: string;
  readonly sites: number;
  readonly method: string;
  readonly result: ZeroStart;
  /** Largest difference found, where numbers were compared. */
  readonly difference?: number;
}

/** Evaluates a graph without leaves other than inputs and parameters; outputs by name. The reference interpreter fits. */
export type Evaluate = (graph: Graph, leaves: ReadonlyMap<string, Float64Array>) => ReadonlyMap<string, Float64Array>;

/** Numbers beyond which nothing is compared by evaluation: a weight of 4096 x 4096 takes some seconds. */
const largestEvaluation = 20_000_000;

/** Examines every application of every adaptation; sites of equal sizes are examined once. */
export function examineStarts(model: BuiltModel, evaluateGraph: Evaluate): ZeroStartReport[] {
  return model.context.adaptations.flatMap((adaptation) =>
    adaptation.applications.flatMap((application) => {
      const groups = new Map<string, AdaptedSite[]>();
      for (const site of application.sites) {
        const key = signature(site);
        const known = groups.get(key);
        if (known) known.push(site);
        else groups.set(key, [site]);
      }
      return [...groups.values()].flatMap((sites) => {
        const [site] = sites;
        const methods = [...site!.methods.keys()].filter((name) => site!.instance.methods.has(name));
        return methods.map((method): ZeroStartReport => {
          const found = examine(model.context, adaptation, site!, method, evaluateGraph);
          return {
            adaptation: adaptation.path,
            interface: application.name,
            site: site!.instance.path ?? "",
            sites: sites.length,
            method,
            ...found,
          };
        });
      });
    }),
  );
}

/** Errors for interfaces that change their base at the start without saying so (`starts = "changed"`). */
export function startErrors(model: BuiltModel, reports: readonly ZeroStartReport[]): Diagnostic[] {
  return reports.flatMap((report) => {
    if (report.result !== "changed") return [];
    const adaptation = model.context.adaptations.find(({ path }) => path === report.adaptation)!;
    const application = adaptation.applications.find(({ name }) => name === report.interface)!;
    const starts = application.sites[0]!.fields.get("starts");
    if (starts?.kind === "string" && starts.value === "changed") return [];
    const { declaration } = application.interface;
    const values = { interface: declaration.name.text, method: report.method, site: report.site };
    const labels = [{ span: application.span, text: `applied to ${report.site} here` }];
    return [diagnose(messages.startsChanged, declaration.name.span, values, labels)];
  });
}

/** What makes two sites alike: module, sizes and how slots start. */
function signature({ instance, slots }: AdaptedSite): string {
  const weights = [...instance.weights.values()].map(({ name, shape, absent }) => [name, shape, absent]);
  const cuts = [...slots.values()].map(({ name, shape, initializer }) => [name, shape, initializer]);
  const sizes = [...instance.statics].flatMap(([name, value]) => ("value" in value ? [[name, value.value]] : []));
  return JSON.stringify([instance.declaration.name.text, sizes, weights, cuts]);
}

function examine(
  context: Context,
  adaptation: Adaptation,
  site: AdaptedSite,
  method: string,
  evaluateGraph: Evaluate,
): Pick<ZeroStartReport, "result" | "difference"> {
  const outer = context.trace;
  const trace = new Trace();
  context.trace = trace;
  try {
    const given = argumentsOf(context, trace, site, method);
    const base = flatten(callMethod(context, moduleValue(site.instance), method, given, site.application.span));
    const operator = startingOperator(trace, adaptation, site);
    const override: Override = { replacements: [{ site, operator }], weights: new Map() };
    const adapted = moduleValue(site.instance, overridesOf([[site.instance, override]], undefined));
    const changed = flatten(callMethod(context, adapted, method, given, site.application.span));
    const pairs = base.map((value, place) => [value, changed[place]] as const);
    if (base.length !== changed.length || pairs.some(([a, b]) => !b || a.shape.join() !== b.shape.join())) {
      return { result: "changed" };
    }
    const graph = trace.builder.finish();
    if (pairs.every(([a, b]) => provenEqual(graph, a.id, b!.id))) return { result: "proven by substitution" };
    const outputs = pairs.flatMap(([a, b], place) => [
      { name: `base.${place}`, value: a.id },
      { name: `adapted.${place}`, value: b!.id },
    ]);
    return compare(simplify({ ...graph, outputs, updates: [] }), evaluateGraph);
  } finally {
    context.trace = outer;
  }
}

const flatten = (value: Value): TensorValue[] => {
  if (value.kind === "tuple" || value.kind === "list") return value.items.flatMap(flatten);
  return value.kind === "tensor" ? [value] : [];
};

/** Slots at their start: constants, or inputs of arbitrary numbers where they start random. */
function startingOperator(trace: Trace, adaptation: Adaptation, site: AdaptedSite): OperatorValue {
  const { builder } = trace;
  const slots = new Map<string, TensorValue>();
  for (const { name, shape, initializer, span } of site.slots.values()) {
    const id = startValue(initializer);
    const value =
      id === undefined
        ? builder.add("input", [], { name: `slot ${name}`, dtype: "f32", shape, perInstance: true })
        : operations.constant(builder, id, shape);
    slots.set(name, tensorAt(builder, value, span));
  }
  const givens = new Map<string, TensorValue>();
  for (const [name, type] of site.givens) {
    const resolved = resolveType(type, site.scope);
    const shape = resolved.kind === "tensor" ? sizesFor(resolved.type, site.scope, new Map()) : [];
    const value = builder.add("input", [], { name: `given ${name}`, dtype: "f32", shape, perInstance: true });
    givens.set(name, tensorAt(builder, value, type.span));
  }
  const none = operations.constant(builder, 0, tokenShape(adaptation));
  const { span } = site.application;
  return { kind: "operator", adaptation, tokens: tensorAt(builder, none, span), givens, slots, span };
}

function startValue(initializer: Initializer): number | undefined {
  if (initializer.kind === "zeros") return 0;
  return initializer.kind === "constant" ? initializer.value : undefined;
}

/** Inputs for the arguments that have no default, of the types that the interface declares, or else its module; free axes are small and all different. */
function argumentsOf(context: Context, trace: Trace, site: AdaptedSite, method: string): GivenArgument[] {
  const baseScope = moduleScope(context, moduleValue(site.instance));
  const replacement = site.methods.get(method)!;
  const sizes = new Map<string, number>();
  return site.instance.methods.get(method)!.parameters.flatMap((parameter, place): GivenArgument[] => {
    const own = replacement.parameters[place]?.type;
    const [written, scope] = own ? [own, site.scope] : [parameter.type, baseScope];
    if (parameter.default || !written) return [];
    const type = resolveType(written, scope);
    if (type.kind !== "tensor") return [];
    const shape = sizesFor(type.type, scope, sizes);
    const dtype: Dtype = dtypeOf(type.type);
    const name = `argument ${parameter.name.text}`;
    const value = trace.builder.add("input", [], { name, dtype, shape, perInstance: true });
    return [{ name: parameter.name, value: tensorAt(trace.builder, value, parameter.span), span: parameter.span }];
  });
}

/** The sizes of a type, without leading axes. Axes that a call settles take numbers from `least` on, which `free` keeps by name. */
export function sizesFor(type: TensorType, scope: Scope, free: Map<string, number>, least = 2): Shape {
  const inner = new Scope(scope.context, scope, {
    resolve: (name) => {
      const size = free.get(name);
      return size === undefined ? undefined : int(size);
    },
  });
  return type.axes.flatMap((axis): number[] => {
    if (axis.kind === "leading") return [];
    const expression = axis.kind === "spread" ? axis.sizes : axis.size;
    if (expression.kind === "name" && scope.lookup(expression.name)?.kind !== "int") {
      if (!free.has(expression.name)) free.set(expression.name, free.size + least);
      return [free.get(expression.name)!];
    }
    const value = evaluate(expression, inner);
    if (value.kind === "list") return value.items.map((item) => (item.kind === "int" ? item.value : 1));
    return [value.kind === "int" ? value.value : 1];
  });
}

/** Evaluates both sides on arbitrary numbers. */
function compare(graph: Graph, evaluateGraph: Evaluate): Pick<ZeroStartReport, "result" | "difference"> {
  const cost = graph.types.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (cost > largestEvaluation) return { result: "too large to check" };
  const leaves = new Map<string, Float64Array>();
  for (const node of graph.nodes) {
    const set = (name: string, { shape, dtype }: { readonly shape: Shape; readonly dtype: Dtype }) =>
      leaves.set(name, arbitrary(shape, dtype, leaves.size));
    if (node.primitive === "input") set(node.attributes.name, node.attributes);
    if (node.primitive === "parameter") set(node.attributes.path, node.attributes);
  }
  const results = evaluateGraph(graph, leaves);
  let difference = 0;
  let scale = 1;
  for (const [name, numbers] of results) {
    if (!name.startsWith("base.")) continue;
    const other = results.get(name.replace("base.", "adapted."))!;
    numbers.forEach((number, place) => {
      scale = Math.max(scale, Math.abs(number));
      difference = Math.max(difference, Math.abs(number - other[place]!));
    });
  }
  return { result: difference <= 1e-9 * scale ? "checked numerically" : "changed", difference };
}

/** Numbers in [-1, 1) without pattern, others for each `leaf`; bools alternate irregularly. */
function arbitrary(shape: Shape, dtype: Dtype, leaf: number): Float64Array {
  return Float64Array.from({ length: elementCount(shape) }, (_, place) => {
    const fraction = (Math.sin(place * 12.9898 + leaf * 78.233) * 43758.5453) % 1;
    if (dtype === "bool") return fraction > -0.5 ? 1 : 0;
    return dtype === "f32" ? fraction : 0;
  });
}
