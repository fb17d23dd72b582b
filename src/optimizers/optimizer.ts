import type { OptimizerSpec } from "../build/model.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { constant, lessEqual, multiply, select } from "../primitives/operations.js";
import { movingAverage, step } from "./rules.js";
import { clipFactor, globalNorm, isFiniteNorm, isFirstStep } from "./scalars.js";
import { type OptimizerState, optimizerStates } from "./states.js";

/** A stretch of the `parameters` segment, in f32 elements. */
export interface ParameterRange {
  readonly offset: number;
  readonly elements: number;
}

export interface OptimizerGraphOptions {
  readonly optimizer: OptimizerSpec;
  /** Largest global norm of the gradients. */
  readonly clip?: number;
  /** Decay of the exponential moving average of the parameters. */
  readonly ema?: number;
  /** What is updated; stretches that do not overlap. */
  readonly ranges: readonly ParameterRange[];
  /** f32 elements from one optimiser state to the next in the `optimizer` segment: the length of `parameters`. */
  readonly stateStride: number;
}

export type RangeKind = "parameters" | "gradients" | OptimizerState;

/** Name of the `range` leaf of a stretch. */
export const rangeName = (kind: RangeKind, { offset }: ParameterRange): string => `${kind}@${offset}`;

/**
 * One step of an optimiser over flat stretches of parameters. Reads the gradients, the scalars `learning_rate` and `step` (counted
 * from 0), and the states; updates parameters and states by range name; output `gradient_norm` (f32 [], before clipping). When
 * the norm is not finite nothing changes. Throws an Error for no ranges.
 */
export function optimizerGraph(options: OptimizerGraphOptions): Graph {
  const { optimizer, clip, ema, ranges } = options;
  if (ranges.length === 0) throw new Error("an optimiser step over no parameters");
  const builder = new GraphBuilder();
  const read = (kind: RangeKind, range: ParameterRange): ValueId => addRange(builder, options, kind, range);

  const norm = globalNorm(
    builder,
    ranges.map((range) => read("gradients", range)),
  );
  const factor = clip === undefined ? undefined : clipFactor(builder, norm, clip);
  const finite = factor === undefined ? isFiniteNorm(builder, norm) : lessEqual(builder, constant(builder, 0), factor);
  const learningRate = builder.add("scalar", [], { name: "learning_rate" });

  for (const range of ranges) {
    const parameters = read("parameters", range);
    const update = (kind: RangeKind, changed: ValueId, kept: ValueId): void =>
      builder.update(rangeName(kind, range), select(builder, finite, changed, kept));
    const gradients = read("gradients", range);
    const stepped = step(builder, optimizer, {
      parameters,
      gradients: factor === undefined ? gradients : multiply(builder, gradients, factor),
      learningRate,
      state: (name) => read(name, range),
    });
    update("parameters", stepped.parameters, parameters);
    for (const [name, value] of stepped.states) update(name, value, read(name, range));
    if (ema !== undefined) {
      const average = select(builder, isFirstStep(builder), parameters, read("average", range));
      update("average", movingAverage(builder, ema, average, stepped.parameters), average);
    }
  }
  builder.output("gradient_norm", norm);
  return builder.finish();
}

function addRange(
  builder: GraphBuilder,
  { optimizer, ema, stateStride }: OptimizerGraphOptions,
  kind: RangeKind,
  range: ParameterRange,
): ValueId {
  const name = rangeName(kind, range);
  const shape = [range.elements];
  switch (kind) {
    case "parameters":
    case "gradients":
      return builder.add("range", [], { name, segment: kind, offset: range.offset, dtype: "f32", shape });
    default: {
      const state = optimizerStates(optimizer, ema).indexOf(kind);
      const offset = state * stateStride + range.offset;
      return builder.add("range", [], { name, segment: "optimizer", offset, dtype: "f32", shape });
    }
  }
}
