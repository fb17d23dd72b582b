/** Samples by a model's `sample` block: what runs once per request, then one submission for each step of the solver. */
import type { InputSpec, Model, SamplingSpec } from "../../src/build/model.js";
import { guidanceName, requestInputs, stepInputs, stepLengthName } from "../../src/build/samplings.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import type { DeviceTensor, Executable, ParameterSet, Submission, TensorData } from "../device.js";
import { SamplingError } from "./errors.js";
import { batchInputs, rowNumbers, type SampleRequest, startOf } from "./request.js";

/** What sampling asks of the compiler: the program of an entry point, or of one step of a `sample` block, for a batch. */
export interface SamplingPrograms {
  evaluate(entry: string, batch: number): Promise<Executable>;
}

export interface Sampler {
  readonly sampling: SamplingSpec;
  /** Of one sample. */
  readonly shape: Shape;
  /** Arguments that a request brings along. */
  readonly inputs: readonly InputSpec[];
  /** The state at t = 1, [rows, ...shape]. Rejects with SamplingError for a request that does not fit. One request at a time. */
  sample(request: SampleRequest): Promise<Float32Array>;
  free(): void;
}

type Values = Record<string, TensorData | DeviceTensor>;

/** Submissions that may be under way. */
const deepest = 2;

/**
 * Loads the programs of a `sample` block for requests of at most `batch` rows and binds them to a model's parameters, which stay the
 * caller's. Rejects with SamplingError when the model has no such block.
 */
export async function openSampler(
  model: Model,
  name: string,
  programs: SamplingPrograms,
  set: ParameterSet,
  batch: number,
): Promise<Sampler> {
  const sampling = model.samplings.find((candidate) => candidate.name === name);
  if (sampling === undefined) {
    const known = model.samplings.map((candidate) => candidate.name).join(", ");
    throw new SamplingError(`Model ${model.name} has no \`sample\` block "${name}"; it has ${known || "none"}`);
  }
  const { state, time } = stepInputs(model.entryPoint(name, batch));
  const inputs = requestInputs(sampling, (other, instances) => model.entryPoint(other, instances), batch);
  const loaded: Executable[] = [];
  const load = async (other: string): Promise<Executable> => {
    const executable = await programs.evaluate(other, batch);
    loaded.push(executable);
    executable.bind(set);
    return executable;
  };
  const free = (): void => {
    for (const executable of loaded) executable.free();
  };
  const once: { readonly name: string; readonly executable: Executable }[] = [];
  let step: Executable;
  try {
    for (const other of sampling.once) once.push({ name: other, executable: await load(other) });
    step = await load(name);
  } catch (error) {
    free();
    throw error;
  }

  const sample = async (request: SampleRequest): Promise<Float32Array> => {
    const { seed, signal, steps = sampling.solver.steps, guidance = sampling.guidance } = request;
    if (!Number.isInteger(steps) || steps < 1) throw new SamplingError(`${steps} is no number of steps`);
    if (guidance !== undefined && sampling.guidance === undefined)
      throw new SamplingError(`"${name}" has no \`unguided\` velocity, so nothing can be guided`);
    const rows = rowNumbers(request, inputs, batch);
    const given: Values = batchInputs(request.inputs, inputs, rows.length, batch);
    const scalars = { seed, learning_rate: 0, row_offset: rows[0]! };
    let values: Values = { ...given, [stepLengthName]: Float32Array.of(1 / steps) };
    if (guidance !== undefined) values[guidanceName] = Float32Array.of(guidance);
    for (const { name: result, executable } of once) {
      const [output] = executable.program.outputs;
      values[result] = executable.submit(readBy(executable, given), { ...scalars, step: 0 }).output(output!.name);
    }
    let last: Submission | undefined;
    const underWay: Submission[] = [];
    for (let place = 0; place < steps; place++) {
      if (signal?.aborted) throw new SamplingError(`stopped after ${place} of ${steps} steps`);
      const x = last === undefined ? startOf(request, state.shape, rows, batch) : last.output("output");
      const changed = { ...values, [state.name]: x, [time.name]: Float32Array.of(place / steps) };
      // What stays the same is handed over once: inputs that are left out keep their values.
      values = {};
      if (underWay.length === deepest) await underWay.shift()!.done;
      last = step.submit(readBy(step, changed), { ...scalars, step: place });
      underWay.push(last);
      request.report?.(place + 1, steps);
    }
    const { output } = await last!.read(["output"]);
    return (output as Float32Array).slice(0, rows.length * elementCount(state.shape));
  };
  return { sampling, shape: state.shape, inputs, sample, free };
}

/** Only what a program reads. */
function readBy({ program }: Executable, values: Values): Values {
  const read = program.inputs.flatMap(({ name }) => {
    const value = values[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(read);
}
