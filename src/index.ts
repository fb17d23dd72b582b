/** The public API of `weft-lang`: what the `weft` command does, as functions. */
export type { Program } from "../codegen/program.js";
export { type Diagnostic, type Label, type Span, WeftError } from "../dsl/diagnostics/diagnostic.js";
export { render } from "../dsl/diagnostics/render.js";
export type { Host } from "../dsl/host.js";
export { format } from "../dsl/syntax/format.js";
export type { Device, DeviceTensor, Executable, ParameterSet, Submission, TensorData } from "../runtime/device.js";
export {
  type BoundedOperator,
  boundOperator,
  type ChangeLimit,
  type ClippedSite,
} from "../runtime/operators/bounds.js";
export { averageOperators, interpolateOperators } from "../runtime/operators/combine.js";
export type { PeftAdapter, PeftNames } from "../runtime/operators/export/adapter.js";
export { type ImportedOperator, operatorOfPeft } from "../runtime/operators/export/read-peft.js";
export { operatorSlots, tokensOfSlots } from "../runtime/operators/export/slots.js";
export { peftAdapter } from "../runtime/operators/export/write-peft.js";
export { mergeOperator } from "../runtime/operators/merge.js";
export { type ChangeSize, reportOperator, type SiteReport } from "../runtime/operators/report.js";
export type { StoredValue } from "../runtime/operators/site-changes.js";
export { type OperatorSpace, operatorSpace, startingTokens } from "../runtime/operators/space.js";
export { type OperatorVersion, OperatorVersions, type VersionOptions } from "../runtime/operators/versions.js";
export { SamplingError } from "../runtime/sampling/errors.js";
export type { SampleRequest } from "../runtime/sampling/request.js";
export { openSampler, type Sampler, type SamplingPrograms } from "../runtime/sampling/sampler.js";
export {
  readSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  writeSafetensors,
} from "../runtime/tensors/safetensors.js";
export { type Tensor, tensor } from "../runtime/tensors/tensor.js";
export { bindData } from "../runtime/training/binding.js";
export { type Curves, metricsPath, readCurves } from "../runtime/training/curves.js";
export { type Column, type DataSource, type MemoryColumn, memorySource } from "../runtime/training/data.js";
export { TrainingError } from "../runtime/training/errors.js";
export type { TrainingEvent, TrainingReport } from "../runtime/training/events.js";
export { initialValue } from "../runtime/training/initialize.js";
export type { TrainingOptions, TrainingResult } from "../runtime/training/options.js";
export type { TrainingPrograms } from "../runtime/training/programs.js";
export { loadStage, readStage, runEvaluation, train } from "../runtime/training/train.js";
export { type DataModule, type DataOptions, safetensorsSource } from "./api/data.js";
export { type DeviceReport, reportDevices } from "./api/device-report.js";
export {
  type DeviceKind,
  type DeviceOptions,
  deviceKinds,
  type OpenDevice,
  openDevice,
  targetOf,
} from "./api/devices.js";
export {
  describeInterfaces,
  generatedNumbers,
  type InterfaceDescription,
  type Sites,
  standardInterfaces,
  type TensorDescription,
} from "./api/interfaces.js";
export { type Compiled, type CompileOptions, compile, SourcesError } from "./api/load.js";
export { programFor } from "./api/programs.js";
export { type RunRequest, runEntry } from "./api/run.js";
export { type RowsRequest, sampleRows } from "./api/sampling.js";
export { trainingPrograms } from "./api/training.js";
export type {
  Adaptation,
  EntryPoint,
  InputSpec,
  Model,
  OutputSpec,
  ParameterSpec,
  Setting,
  TokenGrid,
  TrainingStage,
} from "./build/model.js";
export { nodeHost } from "./cli/host.js";
export { showProgress } from "./cli/progress.js";
export { lower, type Purpose } from "./compile.js";
export type { Target } from "./target.js";
