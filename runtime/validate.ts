/** Checks a program whole before anything of it is compiled, allocated or run. */
import type { Launch, Program, SegmentName } from "../codegen/program.js";
import { bytesPerElement } from "../src/graph/dtype.js";
import { elementCount } from "../src/graph/shape.js";
import { segmentNames } from "./segments.js";

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const languageNames: Readonly<Record<Program["language"], string>> = {
  c: "C",
  wgsl: "WGSL",
  cuda: "CUDA",
  graph: "graphs",
};

/** Throws an Error that names the first thing in a program that cannot be. `device` and `language` are what is to run it, and what it runs. */
export function validateProgram(program: Program, device: string, language: Program["language"]): void {
  if (program.formatVersion !== 1)
    throw new Error(`Programs of format ${String(program.formatVersion)} are not known here`);
  if (program.language !== language) {
    throw new Error(`${device} runs programs in ${languageNames[language]}, and this one is in ${program.language}`);
  }
  for (const name of segmentNames) {
    const bytes = program.segments[name];
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`Segment ${name} has ${bytes} bytes`);
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
  const bytesOf = (dtype: keyof typeof bytesPerElement, shape: readonly number[]) =>
    bytesPerElement[dtype] * elementCount(shape);

  if (program.segments.parameters > program.parameters.bytes) {
    throw new Error(
      `Segment parameters has ${program.segments.parameters} bytes, but its layout only ${program.parameters.bytes}`,
    );
  }
  for (const { path, dtype, shape, offset } of program.parameters.places) {
    if (offset < 0 || offset + bytesOf(dtype, shape) > program.parameters.bytes) {
      throw new Error(`Parameter ${JSON.stringify(path)} does not fit into its layout`);
    }
  }
  for (const segment of ["inputs", "outputs"] as const) {
    for (const { name, dtype, shape, offset } of program[segment]) {
      requireInside(
        `${segment === "inputs" ? "Input" : "Output"} ${JSON.stringify(name)}`,
        segment,
        offset,
        bytesOf(dtype, shape),
      );
    }
  }
  for (const { name, dtype, offset } of program.scalars)
    requireInside(`Scalar ${name}`, "scalars", offset, bytesPerElement[dtype]);
  for (const { dtype, offset, values } of program.constants) {
    requireInside("A constant", "constants", offset, bytesPerElement[dtype] * values.length);
  }

  const names = new Set<string>();
  for (const { name } of program.kernels) {
    if (!identifier.test(name)) throw new Error(`${JSON.stringify(name)} is no name for a kernel`);
    if (names.has(name)) throw new Error(`Two kernels are called ${name}`);
    names.add(name);
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
  if (!Number.isSafeInteger(launch.units) || launch.units < 0) throw new Error(`${what} has ${launch.units} units`);
  if (!launch.integers.every(Number.isSafeInteger)) throw new Error(`${what} has an argument that is no integer`);
  for (const { segment, offset, bytes, dtype, access } of launch.bindings) {
    if (!segmentNames.includes(segment))
      throw new Error(`${what} binds the unknown segment ${JSON.stringify(segment)}`);
    const writes = access === "write" || access === "update";
    if (writes && (segment === "inputs" || segment === "constants" || segment === "scalars")) {
      throw new Error(`${what} writes to segment ${segment}`);
    }
    if (offset % bytesPerElement[dtype] !== 0) throw new Error(`${what} binds ${dtype} at byte ${offset}`);
    // Gradients and optimiser state come with the parameters that are bound.
    requireInside(what, segment, offset, bytes);
  }
}
