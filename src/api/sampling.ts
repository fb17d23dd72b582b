import type { ParameterSet, TensorData } from "../../runtime/device.js";
import { openSampler, type SamplingPrograms } from "../../runtime/sampling/sampler.js";
import type { Tensor } from "../../runtime/tensors/tensor.js";
import { bindData } from "../../runtime/training/binding.js";
import type { DataSource } from "../../runtime/training/data.js";
import { inputsOf } from "../../runtime/training/pieces.js";
import type { InputSpec, Model } from "../build/model.js";

export interface RowsRequest {
  /** Of a `sample` block or an entry point. */
  readonly name: string;
  /** Whose columns are the arguments of the same names. */
  readonly source: DataSource;
  /** Which of its rows. A row of a `sample` block starts from the noise of its number. */
  readonly rows: readonly number[];
  /** Of random draws. */
  readonly seed: number;
  /** Of what the source does to its rows at random. */
  readonly dataSeed?: number;
  /** Values of arguments marked `shared`. */
  readonly given?: Readonly<Record<string, TensorData>>;
  /** Steps and strength of the guidance of a `sample` block, instead of its own. */
  readonly steps?: number;
  readonly guidance?: number;
}

/**
 * Samples by a `sample` block, or runs an entry point, on rows of a data source, with the parameters of a set. Returns the outputs by name,
 * each [rows, ...shape]; that of a `sample` block is `output`. Rejects with TrainingError or SamplingError for what does not fit.
 */
export async function sampleRows(
  model: Model,
  programs: SamplingPrograms,
  set: ParameterSet,
  request: RowsRequest,
): Promise<Map<string, Tensor>> {
  const { name, source, rows, seed, dataSeed = 0, given } = request;
  const assemble = async (inputs: readonly InputSpec[]): Promise<Readonly<Record<string, TensorData>>> => {
    const references = rows.map((row) => ({ source: 0, row, epoch: 0 }));
    return (await bindData({ name, inputs }, [source], dataSeed, given).assemble(references, rows.length)).inputs;
  };
  if (model.samplings.some((sampling) => sampling.name === name)) {
    const sampler = await openSampler(model, name, programs, set, rows.length);
    try {
      const { steps, guidance } = request;
      const changes = { ...(steps === undefined ? {} : { steps }), ...(guidance === undefined ? {} : { guidance }) };
      const data = await sampler.sample({ inputs: await assemble(sampler.inputs), seed, rows, ...changes });
      return new Map([["output", { dtype: "f32", shape: [rows.length, ...sampler.shape], data }]]);
    } finally {
      sampler.free();
    }
  }
  const executable = await programs.evaluate(name, rows.length);
  try {
    executable.bind(set);
    const inputs = await assemble(model.entryPoint(name, rows.length).inputs);
    const { outputs } = executable.program;
    const submission = executable.submit(inputsOf(executable, inputs), { seed, step: 0, row_offset: 0 });
    const values = await submission.read(outputs.map((output) => output.name));
    return new Map(
      outputs.map((output): [string, Tensor] => {
        const { dtype, shape } = output;
        return [output.name, { dtype: dtype as Tensor["dtype"], shape, data: values[output.name]! }];
      }),
    );
  } finally {
    executable.free();
  }
}
