/**
 * What `src/build` makes of a checked file: one model with its settings filled in. Every stored tensor, every token grid, every entry
 * point as a graph for one instance, and the training plan. All shapes are integers.
 */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import type { Dtype } from "../graph/dtype.js";
import type { Graph } from "../graph/graph.js";
import type { Shape } from "../graph/shape.js";

export type Setting = number | boolean | string;

/** How a stored tensor starts. Draws are keyed by the seed and the tensor's path. */
export type Initializer =
  | { readonly kind: "zeros" }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly std: number }
  /** Uniform in [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  /** An orthogonal matrix (rows or columns, whichever are fewer, are orthonormal) times gain. */
  | { readonly kind: "orthogonal"; readonly gain: number }
  /** Ints in [0, below) in an order without pattern, no two of them equal. */
  | { readonly kind: "distinct"; readonly below: number }
  /** Literal numbers, row-major. */
  | { readonly kind: "values"; readonly values: readonly number[] }
  /** Parts along a leading layout: `memory.initial()`. Each part is a box of the tensor; what no part covers is zero. */
  | { readonly kind: "parts"; readonly parts: readonly InitializerPart[] };

export interface InitializerPart {
  readonly starts: readonly number[];
  readonly limits: readonly number[];
  readonly initializer: Initializer;
}

export interface ParameterSpec {
  readonly path: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly initializer: Initializer;
  /** `frozen` weights are stored but never updated. */
  readonly storage: "param" | "frozen";
  /** A copy of another stored tensor as a stage left it; never updated. */
  readonly copy?: { readonly stage: string; readonly of: string };
  readonly span: Span;
}

/** One slot of one interface in the token grid: the tokens `start .. start + count` of every layer. */
export interface TokenKind {
  readonly interface: string;
  readonly slot: string;
  readonly start: number;
  readonly count: number;
  readonly initializer: Initializer;
}

/** One slot of one site of one layer (all copies, where the layout joins them). */
export interface SlotPlace {
  readonly layer: number;
  /** Path of the adapted module, e.g. `backbone.blocks.0.attn.q`; where there are several, of the first. */
  readonly site: string;
  /** For each copy the paths of its modules: one, or the group of `[* by n]` that shares it. */
  readonly copies: readonly (readonly string[])[];
  readonly interface: string;
  readonly slot: string;
  /** Of one copy. */
  readonly shape: Shape;
  readonly start: number;
  readonly count: number;
}

export interface TokenGrid {
  readonly layers: number;
  readonly tokens: number;
  readonly rows: number;
  readonly columns: number;
  readonly kinds: readonly TokenKind[];
  readonly places: readonly SlotPlace[];
  /** Numbers in all slots (padding not counted). */
  readonly numbers: number;
}

/** `memory = adapt ..` */
export interface Adaptation {
  readonly path: string;
  readonly layout: string;
  readonly grid: TokenGrid;
  readonly span: Span;
}

export interface InputSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** False for arguments marked `shared`. */
  readonly perInstance: boolean;
  /** For `int[..24]`: the name of the mask input beside it. */
  readonly mask?: string;
  /** True when the type is `memory.tokens`: it may be passed with or without an instance axis. */
  readonly tokens: boolean;
}

export interface OutputSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
}

/** Instances of a batch where nothing else is said. */
export const defaultBatch = 16;

/** A model's `fn`, traced for one instance. Outputs are named `output`, or `output.0`, `output.1` for a tuple. */
export interface EntryPoint {
  readonly name: string;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly graph: Graph;
  /** The size of the batch that the graph was traced for, where it looks at its batch: it holds for no other. */
  readonly instances?: number;
  /** Stored tensors by path and inputs by name that the outputs have no gradient by, since it would pass through a `grad`: where that stands. */
  readonly behindDerivatives: ReadonlyMap<string, Span>;
  readonly span: Span;
}

export interface OptimizerSpec {
  readonly kind: "sgd" | "adam" | "adamw";
  readonly learningRate: number;
  readonly momentum: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Factor on the learning rate: rises linearly over `warmup` steps, then constant, linear or cosine down to `final` from step `from` (a fraction of all steps). */
export interface ScheduleSpec {
  readonly kind: "constant" | "linear" | "cosine";
  readonly warmup: number;
  readonly from: number;
  readonly final: number;
}

/** Keeps the rows whose column equals one of the values. */
export interface RowFilter {
  readonly column: string;
  readonly values: readonly (number | string)[];
}

export interface TrainingStage {
  readonly kind: "train";
  readonly name: string;
  readonly on: string;
  /** Paths of modules or tensors; everything below them is updated. */
  readonly update: readonly string[];
  readonly optimizer: OptimizerSpec;
  readonly schedule: ScheduleSpec;
  /** Largest global norm of the gradient. */
  readonly clip?: number;
  readonly batch: number;
  readonly accumulate: number;
  readonly steps: number;
  /** Decay of the exponential moving average. */
  readonly ema?: number;
  /** Name or mixture of data sources, and their weights. */
  readonly data: readonly { readonly name: string; readonly weight: number }[];
  /** All of them must hold. */
  readonly where: readonly RowFilter[];
  readonly after?: string;
  readonly recompute: boolean;
  readonly span: Span;
}

/** Stores the mean of what an entry point gives over all rows of some data. */
export interface CollectingStage {
  readonly kind: "collect";
  readonly name: string;
  /** The entry point: one float tensor of the shape of `into`. */
  readonly mean: string;
  /** Path of the stored tensor that takes it. */
  readonly into: string;
  readonly data: readonly { readonly name: string; readonly weight: number }[];
  /** All of them must hold. */
  readonly where: readonly RowFilter[];
  readonly batch: number;
  readonly after?: string;
  readonly span: Span;
}

/** What leaves a state that others may start from. */
export type Stage = TrainingStage | CollectingStage;

export interface EvaluationSpec {
  readonly name: string;
  readonly on: string;
  readonly after?: string;
  readonly data: readonly { readonly name: string; readonly weight: number }[];
  /** All of them must hold. */
  readonly where: readonly RowFilter[];
  readonly batch: number;
  /** Evaluate every so many steps during the training of `after`; 0: only at its end. */
  readonly every: number;
  readonly span: Span;
}

/** How a state goes from noise at t = 0 to what is sampled at t = 1: `steps` steps of equal length along the velocity at their start. */
export interface SolverSpec {
  readonly kind: "euler";
  readonly steps: number;
}

/** A `sample` block. */
export interface SamplingSpec {
  readonly name: string;
  /** Entry points that run once per request; each one's result is the parameter of its name of `step` and `unguided`. */
  readonly once: readonly string[];
  /** The velocity: its first two parameters are the state and the time. */
  readonly step: string;
  /** The velocity without the condition, from which `guidance` leads away. */
  readonly unguided?: string;
  readonly solver: SolverSpec;
  /** Present with `unguided`: the velocity is unguided + guidance * (step - unguided). */
  readonly guidance?: number;
  /** The stage whose numbers are used unless another is asked for. */
  readonly after?: string;
  readonly span: Span;
}

export interface Model {
  readonly name: string;
  readonly file: string;
  readonly settings: Readonly<Record<string, Setting>>;
  /** Ordered by path. */
  readonly parameters: readonly ParameterSpec[];
  readonly adaptations: readonly Adaptation[];
  readonly entryPoints: readonly string[];
  /**
   * Traces an entry point on demand (and once); one that looks at its batch anew for every size of it. The name of a `sample` block
   * stands for one step of its solver.
   */
  entryPoint(name: string, instances?: number): EntryPoint;
  readonly stages: readonly TrainingStage[];
  readonly collections: readonly CollectingStage[];
  readonly evaluations: readonly EvaluationSpec[];
  readonly samplings: readonly SamplingSpec[];
}
