/**
 * The driver: from a model's entry point to kernel records. The one place that says which passes run, and in which order.
 */
import { type Diagnostic, WeftError } from "../dsl/diagnostics/diagnostic.js";
import type { EntryPoint, Model, TrainingStage } from "./build/model.js";
import { isBelow, parameterLayout, rangesOf } from "./build/parameter-layout.js";
import { secondOrderErrors } from "./build/second-order.js";
import type { Graph } from "./graph/graph.js";
import type { MemoryPlan, ParameterLayout } from "./kernels/layout.js";
import type { BufferHome, KernelList } from "./kernels/record.js";
import { accumulateGradients } from "./optimizers/accumulate.js";
import { optimizerGraph } from "./optimizers/optimizer.js";
import { batch } from "./passes/batch.js";
import { deduplicate } from "./passes/deduplicate.js";
import { differentiate, gradientName } from "./passes/differentiate.js";
import { type FuseHomes, fuse } from "./passes/fuse.js";
import { leafValues } from "./passes/leaves.js";
import { oversizedBuffers, oversizedParameters } from "./passes/plan/oversized.js";
import { plan } from "./passes/plan.js";
import { removeStopGradient, simplify } from "./passes/simplify.js";
import { spellAttention } from "./passes/spell-attention.js";
import { weighInstances } from "./passes/weigh-instances.js";
import type { Target } from "./target.js";

/** What a program is compiled for. */
export type Purpose =
  /** The entry point's outputs, with a leading instance axis. */
  | { readonly kind: "forward" }
  /** The weighted mean over instances of a scalar entry point: output `loss`. */
  | { readonly kind: "evaluate" }
  /** Outputs, and gradients of sum(output * input `cotangent.OUTPUT`) for leaves by name: outputs `gradient:NAME`. */
  | { readonly kind: "gradients"; readonly withRespectTo: readonly string[] }
  /** A whole training step: loss, gradients (added to what is there when the stage accumulates), clipping and optimiser. */
  | { readonly kind: "train"; readonly stage: TrainingStage }
  /** The part of an accumulating stage's step that only adds to the gradients. */
  | { readonly kind: "accumulate"; readonly stage: TrainingStage };

export type PassName = "traced" | "batched" | "differentiated" | "optimised";

export interface CompileOptions {
  readonly purpose: Purpose;
  readonly target: Target;
  /** Instances per submission. */
  readonly batch: number;
  /** Entry point arguments of type `memory.tokens` that carry no instance axis here. */
  readonly sharedInputs?: ReadonlySet<string>;
  /** Called with each stage's graph, for `weft graph` and tests. */
  readonly observe?: (name: PassName, graph: Graph) => void;
}

/** Kernel records of one program, planned, and the graphs they came from (forward and backward first, then the optimiser). */
export interface Lowered {
  readonly entry: EntryPoint;
  readonly options: CompileOptions;
  readonly layout: ParameterLayout;
  readonly graphs: readonly Graph[];
  readonly lists: readonly KernelList[];
  readonly plan: MemoryPlan;
}

/**
 * Compiles one entry point of a model for one purpose down to planned kernel records. Throws WeftError when a tensor is larger than the
 * target can bind at once, and where training needs gradients of second order.
 */
export function lower(model: Model, entryName: string, options: CompileOptions): Lowered {
  const { target, batch, purpose } = options;
  const { bytesPerBinding } = target.limits;
  const entry = model.entryPoint(entryName, batch);
  throwAny(oversizedParameters(model.parameters, target));
  throwAny(gradientErrors(model, entry, purpose));
  const layout = parameterLayout(model.parameters);
  const main = mainGraph(model, entry, layout, options);
  const graphs = [main, ...optimizerGraphs(main, layout, purpose, bytesPerBinding)];
  const lists = graphs.map((graph) => fuse(graph, target, homesOf(graph, purpose, layout)));
  throwAny(oversizedBuffers(lists, graphs, entry.span, target, batch));
  return { entry, options, layout, graphs, lists, plan: plan(lists, layout, bytesPerBinding) };
}

/** Gradients that a purpose asks for, but that would be of second order. */
function gradientErrors(model: Model, entry: EntryPoint, purpose: Purpose): Diagnostic[] {
  switch (purpose.kind) {
    case "forward":
    case "evaluate":
      return [];
    case "gradients":
      return secondOrderErrors(entry, purpose.withRespectTo);
    case "train":
    case "accumulate":
      return secondOrderErrors(entry, updatedPaths(model, purpose.stage), purpose.stage);
  }
}

function throwAny(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length > 0) throw new WeftError(diagnostics);
}

/** The road from one instance's trace to the optimised graph of a batch. */
export function mainGraph(model: Model, entry: EntryPoint, layout: ParameterLayout, options: CompileOptions): Graph {
  const { purpose, observe } = options;
  let graph = entry.graph;
  observe?.("traced", graph);

  graph = simplify(graph);
  graph = batch(graph, options.batch, options.sharedInputs ? { sharedInputs: options.sharedInputs } : {});
  observe?.("batched", graph);

  graph = withGradients(model, graph, layout, purpose);
  observe?.("differentiated", graph);

  const { attentionWidth } = options.target.limits;
  graph = removeStopGradient(graph);
  if (attentionWidth !== undefined) graph = spellAttention(graph, attentionWidth);
  graph = deduplicate(simplify(graph));
  observe?.("optimised", graph);
  return graph;
}

function withGradients(model: Model, graph: Graph, layout: ParameterLayout, purpose: Purpose): Graph {
  switch (purpose.kind) {
    case "forward":
      return graph;
    case "evaluate":
      return weighInstances(graph);
    case "gradients":
      return differentiate(graph, {
        outputs: graph.outputs.map(({ name }) => ({ name, cotangent: `cotangent.${name}` })),
        withRespectTo: purpose.withRespectTo,
      });
    case "train":
    case "accumulate": {
      const present = leafValues(graph);
      const updated = updatedPaths(model, purpose.stage).filter((path) => present.has(path));
      const gradients = differentiate(weighInstances(graph), {
        outputs: [{ name: "loss", cotangent: "one" }],
        withRespectTo: updated,
      });
      return purpose.stage.accumulate > 1
        ? accumulateGradients(gradients, layout, purpose.stage.accumulate)
        : gradients;
    }
  }
}

/** Updates what the main graph has a gradient for; a tensor that the loss never reads stays as it is. */
function optimizerGraphs(main: Graph, layout: ParameterLayout, purpose: Purpose, bytesPerBinding: number): Graph[] {
  if (purpose.kind !== "train") return [];
  const { stage } = purpose;
  const reached = new Set([...main.outputs, ...main.updates].flatMap(({ name }) => leafOfGradient(name) ?? []));
  const graph = optimizerGraph({
    optimizer: stage.optimizer,
    ...(stage.clip === undefined ? {} : { clip: stage.clip }),
    ...(stage.ema === undefined ? {} : { ema: stage.ema }),
    ranges: rangesOf(layout, reached, bytesPerBinding),
    stateStride: layout.bytes / 4,
  });
  return [deduplicate(simplify(graph))];
}

/** Paths of the stored tensors that a stage updates. */
export function updatedPaths(model: Model, stage: TrainingStage): string[] {
  return model.parameters
    .filter(({ path, storage }) => storage === "param" && isBelow(path, stage.update))
    .map(({ path }) => path);
}

const gradientPrefix = gradientName("");

function leafOfGradient(output: string): string | undefined {
  return output.startsWith(gradientPrefix) ? output.slice(gradientPrefix.length) : undefined;
}

/** The path of the stored tensor whose gradient an output is, when it goes to the `gradients` segment: in training. Other outputs are handed out. */
export function storedGradient(output: string, purpose: Purpose): string | undefined {
  return purpose.kind === "train" || purpose.kind === "accumulate" ? leafOfGradient(output) : undefined;
}

function homesOf(graph: Graph, purpose: Purpose, layout: ParameterLayout): FuseHomes {
  const outputs: Record<string, BufferHome> = {};
  for (const { name } of graph.outputs) {
    const path = storedGradient(name, purpose);
    if (path !== undefined) outputs[name] = { segment: "gradients", path };
  }
  return { outputs, layout };
}
