/** `sample` blocks: whether their functions fit each other, and one step of the solver as an entry point. */
import { type Diagnostic, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import { GraphBuilder } from "../graph/builder.js";
import { isFloat } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { copyInto } from "../graph/rewrite.js";
import { formatShape, sameShape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import type { EntryPoint, InputSpec, Model, SamplingSpec } from "./model.js";
import { formatTensor } from "./values.js";

/** Inputs of a solver's step that no function declares. No name has a dot. */
export const stepLengthName = "solver.step";
export const guidanceName = "solver.guidance";

type Trace = Model["entryPoint"];

/** The functions of a `sample` block, traced: its velocities (the second without the condition), and what runs once. */
interface Parts {
  readonly velocities: readonly EntryPoint[];
  readonly once: readonly EntryPoint[];
}

const partsOf = ({ step, unguided, once }: SamplingSpec, trace: Trace, instances?: number): Parts => ({
  velocities: [step, ...(unguided === undefined ? [] : [unguided])].map((name) => trace(name, instances)),
  once: once.map((name) => trace(name, instances)),
});

/** Names of the state and the time, which every solver's step has as inputs. */
export function stepInputs({ inputs }: EntryPoint): { readonly state: InputSpec; readonly time: InputSpec } {
  const [state, time] = inputs as readonly [InputSpec, InputSpec];
  return { state, time };
}

/**
 * What a request must bring along for a `sample` block, by name: all arguments of its functions but the state, the time, and what runs once gives.
 */
export function requestInputs(sampling: SamplingSpec, trace: Trace, instances?: number): InputSpec[] {
  const { velocities, once } = partsOf(sampling, trace, instances);
  const given = [...velocities.flatMap(({ inputs }) => inputs.slice(2)), ...once.flatMap(({ inputs }) => inputs)];
  const byName = new Map(given.map((input) => [input.name, input]));
  for (const name of sampling.once) byName.delete(name);
  return [...byName.values()];
}

/**
 * One step of a `sample` block's solver for one instance: x + h v(x, t). Inputs are the state x, the time t [] and the length h [] of the step
 * (`solver.step`), which are the same for all instances, with guidance its strength [] (`solver.guidance`), and all other parameters; the
 * output `output` is the next state. Throws WeftError where the functions do not fit.
 */
export function solverStep(sampling: SamplingSpec, trace: Trace, instances?: number): EntryPoint {
  const errors = samplingErrors(sampling, trace, instances);
  if (errors.length > 0) throw new WeftError(errors);
  const { velocities } = partsOf(sampling, trace, instances);
  const { state, time } = stepInputs(velocities[0]!);
  const builder = new GraphBuilder();
  const names = [state, time];
  const values = velocities.map(({ graph, inputs }) => {
    const copied = copyInto(builder, graph, (node, _, target) => {
      if (node.primitive !== "input") return undefined;
      const place = inputs.slice(0, 2).findIndex(({ name }) => name === node.attributes.name);
      if (place < 0) return undefined;
      return [target.add("input", [], { ...node.attributes, name: names[place]!.name, perInstance: place === 0 })];
    });
    return copied[graph.outputs[0]!.value]!;
  });
  const shared = (name: string): ValueId =>
    builder.add("input", [], { name, dtype: "f32", shape: [], perInstance: false });
  const { name: stateName, dtype, shape } = state;
  const x = builder.add("input", [], { name: stateName, dtype, shape, perInstance: true });
  const velocity = guided(builder, values, shared);
  builder.output("output", operations.add(builder, x, operations.multiply(builder, shared(stepLengthName), velocity)));
  const seesInstances = velocities.find((entry) => entry.instances !== undefined);
  const scalar = (name: string): InputSpec => ({ name, dtype: "f32", shape: [], perInstance: false, tokens: false });
  const others = new Map(velocities.flatMap(({ inputs }) => inputs.slice(2).map((input) => [input.name, input])));
  return {
    name: sampling.name,
    inputs: [
      state,
      { ...time, perInstance: false },
      scalar(stepLengthName),
      ...(values.length > 1 ? [scalar(guidanceName)] : []),
      ...others.values(),
    ],
    outputs: [{ name: "output", dtype, shape }],
    graph: builder.finish(),
    ...(seesInstances ? { instances: seesInstances.instances } : {}),
    behindDerivatives: new Map(velocities.flatMap(({ behindDerivatives }) => [...behindDerivatives])),
    span: sampling.span,
  };
}

function guided(
  builder: GraphBuilder,
  [step, unguided]: readonly ValueId[],
  shared: (name: string) => ValueId,
): ValueId {
  if (unguided === undefined) return step!;
  const difference = operations.subtract(builder, step!, unguided);
  return operations.add(builder, unguided, operations.multiply(builder, shared(guidanceName), difference));
}

/** What is wrong with a `sample` block. Throws WeftError where a function of it cannot be traced. */
export function samplingErrors(sampling: SamplingSpec, trace: Trace, instances?: number): Diagnostic[] {
  const { velocities, once } = partsOf(sampling, trace, instances);
  const { name: own, span } = sampling;
  const notAStep = velocities.flatMap((entry) => {
    const detail = whyNoStep(entry);
    return detail === undefined ? [] : [diagnose(messages.notAStep, span, { name: entry.name, sampling: own, detail })];
  });
  if (notAStep.length > 0) return notAStep;
  const found: Diagnostic[] = [];
  const known = new Map<string, { readonly by: string; readonly type: string }>();
  const compare = (name: string, by: string, type: string): void => {
    const other = known.get(name);
    if (other === undefined) known.set(name, { by, type });
    else if (other.type !== type) {
      const values = { name, first: other.by, firstType: other.type, second: by, secondType: type };
      found.push(diagnose(messages.samplingDisagrees, span, values));
    }
  };
  for (const entry of once) {
    const takes = velocities.some(({ inputs }) => inputs.slice(2).some(({ name }) => name === entry.name));
    const steps = velocities.map(({ name }) => name);
    if (!takes) found.push(diagnose(messages.onceUnused, span, { name: entry.name, sampling: own, steps }));
    const [output, ...others] = entry.outputs;
    const type = others.length > 0 ? `a tuple of ${entry.outputs.length}` : formatTensor(output!);
    if (takes) compare(entry.name, `the result of ${entry.name}`, type);
  }
  for (const { name: by, inputs } of velocities) {
    compare("the state", by, formatTensor(inputs[0]!));
    for (const input of inputs.slice(2)) compare(input.name, by, typeOf(input));
  }
  for (const { name: by, inputs } of once) for (const input of inputs) compare(input.name, by, typeOf(input));
  return found;
}

const typeOf = (input: InputSpec): string =>
  `${input.perInstance ? "" : "shared "}${input.mask === undefined ? formatTensor(input) : formatTensor(input).replace("[", "[..")}`;

function whyNoStep({ inputs, outputs }: EntryPoint): string | undefined {
  const [state, time] = inputs;
  const [output, ...others] = outputs;
  if (!state || !time) return "it has no two parameters";
  if (!isFloat(state.dtype) || !state.perInstance || state.mask !== undefined)
    return `its first parameter \`${state.name}\` is ${typeOf(state)}, not a state of floats`;
  if (!isFloat(time.dtype) || time.shape.length > 0)
    return `its second parameter \`${time.name}\` is ${typeOf(time)}, not the time \`[]\``;
  if (others.length > 0) return `it gives a tuple of ${outputs.length}`;
  if (!isFloat(output!.dtype) || !sameShape(output!.shape, state.shape))
    return `it gives ${formatTensor(output!)}, but the state \`${state.name}\` is ${formatShape(state.shape)}`;
  return undefined;
}
