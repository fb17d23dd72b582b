/** Checks a program whole before anything of it is compiled, allocated or run. */
import type { Launch, Program, SegmentName } from "../codegen/program.js";
import { bytesPerElement } from "../src/graph/dtype.js";
import { elementCount } from "../src/graph/shape.js";
import { segmentAlignment } from "../src/kernels/layout.js";
import { requireProgramForm } from "./program-form.js";
import { segmentNames } from "./segments.js";

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const languageNames: Readonly<Record<Program["language"], string>> = {
  c: "C",
  wgsl: "WGSL",
  cuda: "CUDA",
  graph: "graphs",
};

/** Bytes of a segment: far more than any device has, and few enough to be cut into buffers. */
const mostBytes = 2 ** 44;

/** Every scalar takes a line. */
const mostScalarBytes = 2 ** 16;

/** Tensors that an optimiser keeps for a parameter. */
const mostStates = 16;

/** Kernels count units by i32. */
const mostUnits = 2 ** 31 - 1;

/**
 * Throws an Error that names the first thing in a program that cannot be; it may be anything that was read from a file. `device` and
 * `language` are what is to run it, and what it runs.
 */
export function validateProgram(program: Program, device: string, language: Program["language"]): void {
  requireProgramForm(program);
  if (program.formatVersion !== 1)
    throw new Error(`Programs of format ${String(program.formatVersion)} are not known here`);
  if (program.language !== language) {
    throw new Error(`${device} runs programs in ${languageNames[language]}, and this one is in ${program.language}`);
  }
  for (const name of segmentNames) {
    const bytes = program.segments[name];
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > (name === "scalars" ? mostScalarBytes : mostBytes))
      throw new Error(`Segment ${name} has ${bytes} bytes`);
  }
  const requireInside = (what: string, segment: SegmentName, offset: number, bytes: number): void => {
    const end = offset + bytes;
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(bytes) ||
      offset < 0 ||
      bytes < 0 ||
      end > program.segments[segment]
    ) {
      throw new Error(
        `${what} takes bytes ${offset} to ${end} of segment ${segment}, which has ${program.segments[segment]}`,
      );
    }
  };
  const requireAligned = (what: string, offset: number, alignment: number): void => {
    if (offset % alignment !== 0) throw new Error(`${what} stands at byte ${offset}, no multiple of ${alignment}`);
  };
  const bytesOf = (dtype: keyof typeof bytesPerElement, shape: readonly number[]) =>
    bytesPerElement[dtype] * elementCount(shape);

  const { bytes: layoutBytes, places } = program.parameters;
  if (layoutBytes > mostBytes) throw new Error(`The layout of the parameters has ${layoutBytes} bytes`);
  for (const name of ["parameters", "gradients"] as const) {
    if (program.segments[name] > layoutBytes)
      throw new Error(`Segment ${name} has ${program.segments[name]} bytes, but its layout only ${layoutBytes}`);
  }
  if (program.segments.optimizer > mostStates * layoutBytes) {
    throw new Error(
      `Segment optimizer has ${program.segments.optimizer} bytes, more than ${mostStates} times the parameters' ${layoutBytes}`,
    );
  }
  for (const { path, dtype, shape, offset } of places) {
    const end = offset + bytesOf(dtype, shape);
    if (offset < 0 || offset % segmentAlignment !== 0 || !Number.isSafeInteger(end) || end > layoutBytes) {
      throw new Error(`Parameter ${JSON.stringify(path)} does not fit into its layout`);
    }
  }
  for (const segment of ["inputs", "outputs"] as const) {
    for (const { name, dtype, shape, offset } of program[segment]) {
      const what = `${segment === "inputs" ? "Input" : "Output"} ${JSON.stringify(name)}`;
      requireInside(what, segment, offset, bytesOf(dtype, shape));
      requireAligned(what, offset, segmentAlignment);
    }
  }
  for (const { name, dtype, offset } of program.scalars) {
    requireInside(`Scalar ${name}`, "scalars", offset, bytesPerElement[dtype]);
    requireAligned(`Scalar ${name}`, offset, bytesPerElement[dtype]);
  }
  for (const { dtype, offset, values } of program.constants) {
    requireInside("A constant", "constants", offset, bytesPerElement[dtype] * values.length);
    requireAligned("A constant", offset, segmentAlignment);
  }

  const names = new Set<string>();
  for (const { name } of program.kernels) {
    if (!identifier.test(name)) throw new Error(`${JSON.stringify(name)} is no name for a kernel`);
    if (names.has(name)) throw new Error(`Two kernels are called ${name}`);
    names.add(name);
  }
  for (const launch of program.prepare) {
    // Nothing else may change without a step.
    const changed = launch.bindings.find(
      ({ access, segment }) => access !== "read" && segment !== "prepared" && segment !== "scratch",
    );
    if (changed)
      throw new Error(`Kernel ${JSON.stringify(launch.label)} prepares, but writes to segment ${changed.segment}`);
  }
  for (const launch of [...program.prepare, ...program.step]) validateLaunch(program, launch, requireInside);
}

function validateLaunch(
  program: Program,
  launch: Launch,
  requireInside: (what: string, segment: SegmentName, offset: number, bytes: number) => void,
): void {
  const what = `Kernel ${JSON.stringify(launch.label)}`;
  if (!program.kernels[launch.kernel])
    throw new Error(`${what} is number ${launch.kernel} of ${program.kernels.length}`);
  if (launch.units < 0 || launch.units > mostUnits) throw new Error(`${what} has ${launch.units} units`);
  for (const { segment, offset, bytes, dtype, access } of launch.bindings) {
    const writes = access === "write" || access === "update";
    if (writes && (segment === "inputs" || segment === "constants" || segment === "scalars")) {
      throw new Error(`${what} writes to segment ${segment}`);
    }
    if (offset % bytesPerElement[dtype] !== 0) throw new Error(`${what} binds ${dtype} at byte ${offset}`);
    if (bytes % bytesPerElement[dtype] !== 0) throw new Error(`${what} binds ${bytes} bytes of ${dtype}`);
    // Gradients and optimiser state come with the parameters that are bound.
    requireInside(what, segment, offset, bytes);
  }
}
