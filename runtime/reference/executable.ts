import type { Program } from "../../codegen/program.js";
import type { Node } from "../../src/graph/node.js";
import { elementCount, formatShape, sameShape } from "../../src/graph/shape.js";
import type { ScalarName } from "../../src/primitives/names.js";
import type { ReferenceEnvironment, ReferenceTensor } from "../../src/primitives/primitive.js";
import type { Device, DeviceTensor, Executable, ParameterSet, Submission, TensorData } from "../device.js";
import { holds } from "../tensors/tensor.js";
import { readElements, storedDtype, writeElements } from "./elements.js";
import { environmentOf } from "./environment.js";
import { interpret, type NodeObserver } from "./interpreter.js";
import { ReferenceParameterSet } from "./parameters.js";
import { type LoadedProgram, nodeLabel, rangePlace } from "./program.js";
import type { Queue } from "./queue.js";
import { ReferenceSubmission } from "./submission.js";

type Inputs = Readonly<Record<string, TensorData | DeviceTensor>>;
type Scalars = Readonly<Partial<Record<ScalarName, number>>>;

/** What one run works on. */
interface Run {
  readonly inputs: Map<string, Float64Array>;
  readonly scalars: Map<ScalarName, number>;
}

/** Interprets a program's graphs, one submission after the other. */
export class ReferenceExecutable implements Executable {
  readonly program: Program;
  readonly #loaded: LoadedProgram;
  readonly #device: Device;
  readonly #queue: Queue;
  /** What later submissions are bound to, and what the one whose turn it is was. */
  #bindsTo: ReferenceParameterSet | undefined;
  #set: ReferenceParameterSet | undefined;
  #freed = false;
  /** What the last submission ran on: inputs and scalars that are left out keep their values. */
  #last: Run = { inputs: new Map(), scalars: new Map() };

  constructor(loaded: LoadedProgram, device: Device, queue: Queue) {
    this.program = loaded.program;
    this.#loaded = loaded;
    this.#device = device;
    this.#queue = queue;
  }

  bind(set: ParameterSet): void {
    if (!(set instanceof ReferenceParameterSet)) throw new Error("The parameters belong to another device");
    set.requirePlaces(this.program.parameters);
    set.reserveOptimizer(this.program.segments.optimizer);
    this.#bindsTo = set;
  }

  submit(inputs: Inputs, scalars: Scalars = {}): Submission {
    const given = this.#copied(inputs);
    const results = this.#enqueue(() => {
      const run = this.#prepare(given, scalars);
      this.#last = run;
      return this.#run(run);
    });
    return new ReferenceSubmission(this.#device, this.#loaded.outputs, results);
  }

  async firstNonFinite(inputs: Inputs, scalars: Scalars = {}): Promise<string | undefined> {
    const given = this.#copied(inputs);
    return this.#enqueue(() => {
      let found: string | undefined;
      this.#runLeavingStored(this.#prepare(given, scalars), (node, outputs) => {
        if (found === undefined && !outputs.every(({ data }) => data.every(Number.isFinite))) found = nodeLabel(node);
      });
      return found;
    });
  }

  /** One more run on the last inputs, node by node; stored tensors stay as they were. */
  async profile(): Promise<readonly { readonly label: string; readonly nanoseconds: number }[]> {
    return this.#enqueue(() => {
      const times: { label: string; nanoseconds: number }[] = [];
      let before = performance.now();
      this.#runLeavingStored(this.#prepare({}, {}), (node) => {
        const now = performance.now();
        times.push({ label: nodeLabel(node), nanoseconds: (now - before) * 1e6 });
        before = now;
      });
      return times;
    });
  }

  free(): void {
    this.#freed = true;
    this.#queue.afterAll(() => {
      this.#last = { inputs: new Map(), scalars: new Map() };
    });
  }

  /** Does `work` when it is its turn, with the parameters that are bound now. */
  #enqueue<T>(work: () => T): Promise<T> {
    if (this.#freed) return Promise.reject(new Error("The executable was freed"));
    const set = this.#bindsTo;
    return this.#queue.enqueue(() => {
      this.#set = set;
      return work();
    });
  }

  /** The caller may reuse its arrays as soon as `submit` returns. */
  #copied(inputs: Inputs): Inputs {
    return Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [name, ArrayBuffer.isView(value) ? value.slice() : value]),
    );
  }

  /** Checks what was handed in and joins it with what was there before. */
  #prepare(inputs: Inputs, scalars: Scalars): Run {
    const run: Run = { inputs: new Map(this.#last.inputs), scalars: new Map(this.#last.scalars) };
    for (const [name, value] of Object.entries(inputs)) run.inputs.set(name, this.#inputData(name, value));
    for (const name of this.#loaded.inputs.keys()) {
      if (!run.inputs.has(name)) throw new Error(`Input ${JSON.stringify(name)} was never given`);
    }
    for (const [name, value] of Object.entries(scalars) as [ScalarName, number][]) {
      run.scalars.set(name, scalarValue(name, value));
    }
    return run;
  }

  #inputData(name: string, value: TensorData | DeviceTensor): Float64Array {
    const place = this.#loaded.inputs.get(name);
    if (!place) throw new Error(`The program has no input ${JSON.stringify(name)}`);
    const type = `${place.dtype}${formatShape(place.shape)}`;
    if (ArrayBuffer.isView(value)) {
      if (!holds(storedDtype(place.dtype), value) || value.length !== elementCount(place.shape)) {
        throw new Error(
          `Input ${JSON.stringify(name)} is ${type}, but was given ${value.length} numbers in a ${value.constructor.name}`,
        );
      }
      return Float64Array.from(value);
    }
    const { submission } = value;
    if (value.device !== this.#device || !(submission instanceof ReferenceSubmission)) {
      throw new Error(`Input ${JSON.stringify(name)} is a tensor of another device`);
    }
    // The queue is the device's, so the submission that makes the tensor is over.
    const result = submission.result(value.output);
    if (result.type.dtype !== place.dtype || !sameShape(result.type.shape, place.shape)) {
      throw new Error(
        `Input ${JSON.stringify(name)} is ${type}, but output ${JSON.stringify(value.output)} is ${result.type.dtype}${formatShape(result.type.shape)}`,
      );
    }
    return result.data;
  }

  #environment(run: Run): ReferenceEnvironment {
    const leaves = environmentOf({ inputs: run.inputs, scalars: Object.fromEntries(run.scalars) });
    return {
      leaf: (node) => {
        const leaf = node as Node;
        if (leaf.primitive !== "parameter" && leaf.primitive !== "range") return leaves.leaf(node);
        const { segment, offset, type } =
          leaf.primitive === "range"
            ? rangePlace(leaf)
            : {
                segment: "parameters" as const,
                offset: this.#loaded.parameters.get(leaf.attributes.path)!.offset,
                type: leaf.attributes,
              };
        const data = readElements(this.#stored().bytes(segment), type.dtype, offset, elementCount(type.shape));
        return { type, data };
      },
    };
  }

  #stored(): ReferenceParameterSet {
    if (!this.#set) throw new Error("No parameters are bound to the executable");
    return this.#set;
  }

  /** All graphs in order; what a graph stores is written when it is over, so that none of its nodes sees it. */
  #run(run: Run, observe?: NodeObserver): ReadonlyMap<string, ReferenceTensor> {
    const outputs = new Map<string, ReferenceTensor>();
    for (const { graph, stored } of this.#loaded.graphs) {
      const results = interpret(graph, this.#environment(run), observe);
      for (const { from, name, place } of stored) {
        const { data } = results[from].get(name)!;
        writeElements(this.#stored().bytes(place.segment), place.type.dtype, place.offset, data);
      }
      for (const [name, tensor] of results.outputs) {
        if (this.#loaded.outputs.has(name)) outputs.set(name, tensor);
      }
    }
    return outputs;
  }

  #runLeavingStored(run: Run, observe: NodeObserver): void {
    const set = this.#set;
    const before = set?.snapshot();
    try {
      this.#run(run, observe);
    } finally {
      if (set && before) set.restore(before);
    }
  }
}

/** A scalar as memory holds it. */
function scalarValue(name: ScalarName, value: number): number {
  switch (name) {
    case "seed":
    case "step":
      return value >>> 0;
    case "row_offset":
      return value | 0;
    case "learning_rate":
      return Math.fround(value);
  }
}
