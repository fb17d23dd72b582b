import { allocate, holds, type StoredDtype, type Tensor, tensor } from "../../runtime/tensors/tensor.js";
import type { EntryPoint, InputSpec } from "../build/model.js";
import type { Purpose } from "../compile.js";
import { elementCount, formatShape, type Shape, sameShape } from "../graph/shape.js";
import { instanceWeightName } from "../passes/weigh-instances.js";
import type { OpenDevice } from "./devices.js";
import type { Compiled } from "./load.js";
import { compareNames } from "./names.js";
import { cachedProgram } from "./program-cache.js";

export interface RunRequest {
  readonly entry: string;
  /** Every stored tensor that the entry point reads, by path. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Arguments by name; with or without a leading batch axis, all alike. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Stored tensors (by path) and inputs whose gradients are wanted; `*` for all stored tensors that the entry point reads. */
  readonly gradients?: readonly string[];
  /** Cotangents of the outputs by the outputs' names; may be left out for a single scalar output. */
  readonly cotangents?: ReadonlyMap<string, Tensor>;
  /** Seed of random draws. */
  readonly seed?: number;
}

/** Runs one entry point once on given tensors. Returns outputs by name, and gradients as `gradient:NAME`. Throws an Error that lists what does not fit. */
export async function runEntry(
  compiled: Compiled,
  { device, target }: OpenDevice,
  request: RunRequest,
): Promise<Map<string, Tensor>> {
  const { model } = compiled;
  const entry = model.entryPoint(request.entry);
  const read = parametersOf(entry);
  compareNames(
    `parameters of ${entry.name}`,
    read.keys(),
    [...request.parameters.keys()].filter((path) => read.has(path) || !isModelPath(model.parameters, path)),
  );

  for (const [path, place] of read) checkParameter(path, request.parameters.get(path)!, place);
  const { inputs, batch, shared } = matchInputs(entry, request.inputs);
  const size = batch ?? 1;
  const withRespectTo = gradientNames(entry, request.gradients ?? [], read);
  const cotangents = cotangentInputs(entry, request, size, batch !== undefined);
  const purpose: Purpose = withRespectTo.length === 0 ? { kind: "forward" } : { kind: "gradients", withRespectTo };
  const program = await cachedProgram(model, compiled.sources, entry.name, {
    purpose,
    batch: size,
    target,
    sharedInputs: shared,
  });

  const executable = await device.load(program);
  const set = await device.parameters(program.parameters);
  try {
    for (const path of read.keys()) await set.write(path, request.parameters.get(path)!.data);
    executable.bind(set);
    const known = new Set(program.inputs.map(({ name }) => name));
    const weights = tensor("f32", [size], new Float32Array(size).fill(1));
    const given = Object.fromEntries(
      [...inputs, [instanceWeightName, weights] as const, ...(withRespectTo.length > 0 ? cotangents : [])]
        .filter(([name]) => known.has(name))
        .map(([name, tensor]) => [name, tensor.data]),
    );
    const submission = executable.submit(given, { seed: request.seed ?? 0, step: 0, row_offset: 0 });
    const names = program.outputs.map(({ name }) => name);
    const values = await submission.read(names);
    return new Map(
      program.outputs.map(({ name, dtype, shape }) => {
        // Without a batch axis in the inputs there is none in the outputs; gradients of stored tensors never have one.
        const perInstance = !name.startsWith("gradient:") || inputs.has(name.slice("gradient:".length));
        const kept =
          batch === undefined && perInstance && !shared.has(name.slice("gradient:".length)) ? shape.slice(1) : shape;
        return [name, { dtype: dtype as Tensor["dtype"], shape: kept, data: values[name]! }];
      }),
    );
  } finally {
    executable.free();
    set.free();
  }
}

function checkParameter(path: string, given: Tensor, { dtype, shape }: StoredTensor): void {
  if (!sameShape(given.shape, shape))
    throw new Error(`parameter ${path} has shape ${formatShape(given.shape)}, but the model has ${formatShape(shape)}`);
  if (!holds(dtype, given.data))
    throw new Error(`parameter ${path} holds ${given.dtype}, but the model stores ${dtype}`);
}

function isModelPath(parameters: readonly { readonly path: string }[], path: string): boolean {
  return parameters.some((parameter) => parameter.path === path);
}

type StoredTensor = { readonly dtype: StoredDtype; readonly shape: Shape };

/** Stored tensors that an entry point reads, by path. */
export function parametersOf(entry: EntryPoint): Map<string, StoredTensor> {
  return new Map(
    entry.graph.nodes.flatMap((node) =>
      node.primitive === "parameter"
        ? [[node.attributes.path, { dtype: node.attributes.dtype as StoredDtype, shape: node.attributes.shape }]]
        : [],
    ),
  );
}

/** Finds out whether the inputs have a batch axis, checks them, and fills in masks that were left out. */
function matchInputs(
  entry: EntryPoint,
  given: ReadonlyMap<string, Tensor>,
): { inputs: Map<string, Tensor>; batch: number | undefined; shared: Set<string> } {
  const masks = new Map(
    entry.inputs.flatMap((input) => (input.mask === undefined ? [] : [[input.mask, input.name] as const])),
  );
  const optional = [...masks.keys()].filter((mask) => !given.has(mask));
  compareNames(
    `inputs of ${entry.name}`,
    entry.inputs.map(({ name }) => name).filter((name) => !optional.includes(name)),
    given.keys(),
  );
  const inputs = new Map<string, Tensor>();
  const shared = new Set<string>();
  const sizes = new Map<number | undefined, string>();
  for (const input of entry.inputs) {
    const tensor = given.get(input.name);
    if (!tensor) continue;
    if (tensor.dtype !== input.dtype && !(input.dtype === "bool" && tensor.dtype === "i32")) {
      throw new Error(`input ${input.name} holds ${tensor.dtype}, but ${input.dtype} is needed`);
    }
    const batched = tensor.shape.length === input.shape.length + 1 && sameShape(tensor.shape.slice(1), input.shape);
    if (!batched && !sameShape(tensor.shape, input.shape)) {
      throw new Error(
        `input ${input.name} has shape ${formatShape(tensor.shape)}; ${formatShape(input.shape)}${input.perInstance ? ", or that with a leading batch axis," : ""} is needed`,
      );
    }
    if (batched && !input.perInstance) throw new Error(`input ${input.name} is shared: it takes no batch axis`);
    if (!batched && (!input.perInstance || input.tokens)) shared.add(input.name);
    else if (batched && tensor.shape[0] === 0)
      throw new Error(`input ${input.name} has 0 instances; at least one is needed`);
    else sizes.set(batched ? tensor.shape[0]! : undefined, input.name);
    inputs.set(input.name, asDtype(tensor, input));
  }
  if (sizes.size > 1) {
    throw new Error(
      `inputs disagree about the batch: ${[...sizes].map(([size, name]) => `${name} has ${size === undefined ? "no batch axis" : `${size} instances`}`).join(", ")}`,
    );
  }
  const batch = [...sizes.keys()][0];
  for (const mask of optional) {
    const spec = entry.inputs.find(({ name }) => name === mask)!;
    const shape = batch === undefined ? spec.shape : [batch, ...spec.shape];
    inputs.set(mask, { dtype: "bool", shape, data: new Uint8Array(elementCount(shape)).fill(1) });
  }
  return { inputs, batch, shared };
}

function asDtype(tensor: Tensor, input: InputSpec): Tensor {
  if (input.dtype !== "bool" || tensor.dtype !== "i32") return tensor;
  return {
    dtype: "bool",
    shape: tensor.shape,
    data: Uint8Array.from(tensor.data as Int32Array, (value) => (value === 0 ? 0 : 1)),
  };
}

function cotangentInputs(entry: EntryPoint, request: RunRequest, size: number, batched: boolean): Map<string, Tensor> {
  const cotangents = new Map<string, Tensor>();
  if ((request.gradients ?? []).length === 0) return cotangents;
  const given = new Map(
    [...(request.cotangents ?? [])].map(([name, tensor]) => [name.replace(/^cotangent\./, ""), tensor]),
  );
  const single = entry.outputs.length === 1 && entry.outputs[0]!.shape.length === 0;
  if (!(single && given.size === 0)) {
    compareNames(
      "cotangents",
      entry.outputs.map(({ name }) => name),
      given.keys(),
    );
  }
  for (const output of entry.outputs) {
    const shape = [size, ...output.shape];
    const tensor = given.get(output.name);
    if (!tensor) {
      const data = allocate("f32", elementCount(shape));
      cotangents.set(`cotangent.${output.name}`, { dtype: "f32", shape, data: data.fill(1) as Float32Array });
      continue;
    }
    if (!sameShape(tensor.shape, batched ? shape : output.shape)) {
      throw new Error(
        `cotangent ${output.name} has shape ${formatShape(tensor.shape)}, but ${formatShape(batched ? shape : output.shape)} is needed`,
      );
    }
    if (!holds("f32", tensor.data))
      throw new Error(`cotangent ${output.name} holds ${tensor.dtype}, but f32 is needed`);
    cotangents.set(`cotangent.${output.name}`, { ...tensor, shape });
  }
  return cotangents;
}

function gradientNames(
  entry: EntryPoint,
  wanted: readonly string[],
  read: ReadonlyMap<string, StoredTensor>,
): string[] {
  const leaves = new Set([
    ...[...read].flatMap(([path, { dtype }]) => (dtype === "f32" ? [path] : [])),
    ...entry.inputs.filter(({ dtype }) => dtype === "f32").map(({ name }) => name),
  ]);
  const chosen = new Set<string>();
  for (const name of wanted) {
    const found = name === "*" ? [...read.keys()].filter((path) => leaves.has(path)) : [name];
    if (!found.every((path) => leaves.has(path)))
      throw new Error(
        `${entry.name} reads no float tensor called ${name}, so it has no gradient; it reads ${[...leaves].slice(0, 30).join(", ")}`,
      );
    for (const path of found) chosen.add(path);
  }
  return [...chosen];
}
