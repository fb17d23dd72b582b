/** What a dispatch costs the host: a steady step of a program beside the barest loop that dispatches the same kernels. */
import { create } from "webgpu";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import { createWebGpuDevice } from "../../runtime/webgpu/device.js";
import type { Buffer, ElementwiseKernel } from "../../src/kernels/record.js";
import type { BinaryName } from "../../src/primitives/names.js";

export interface DispatchCosts {
  readonly dispatches: number;
  /** Nanoseconds per dispatch, a number for each round. */
  readonly steps: readonly number[];
  readonly bare: readonly number[];
}

const operations: readonly BinaryName[] = ["add", "subtract", "multiply", "maximum", "minimum"];
const elements = 1024;

/** A row of kernels, each of which takes what the two before it made. The last gives an output. */
function row(count: number) {
  const scratch: Buffer[] = Array.from({ length: 8 }, () => ({ dtype: "f32", elements, home: { segment: "scratch" } }));
  const buffers: Buffer[] = [
    ...scratch,
    { dtype: "u32", elements: 1, home: { segment: "scalars", name: "step" } },
    { dtype: "f32", elements, home: { segment: "outputs", name: "last" } },
  ];
  const access = (buffer: number, stride = 1) => ({ buffer, offset: 0, strides: [stride] });
  const kernels = Array.from({ length: count }, (_, number): ElementwiseKernel => {
    const operation = operations[number % operations.length]!;
    return {
      archetype: "elementwise",
      origins: [],
      label: operation,
      extents: [elements],
      accesses: [access(number % 8), access((number + 1) % 8), access(8, 0)],
      body: [
        { kind: "load", access: 0, dtype: "f32" },
        { kind: "load", access: 1, dtype: "f32" },
        { kind: "load", access: 2, dtype: "u32" },
        { kind: "cast", operand: 2, dtype: "f32" },
        { kind: "binary", operation, left: 0, right: 1, dtype: "f32" },
        { kind: "binary", operation: "add", left: 4, right: 3, dtype: "f32" },
      ],
      stores: [{ access: access(number + 1 < count ? (number + 2) % 8 : 9), value: 5 }],
    };
  });
  const bytes = 4 * elements;
  return wgslProgram({
    lists: [{ buffers, kernels, refusals: [] }],
    plan: {
      offsets: [...scratch.map((_, number) => number * bytes), 0, 0],
      pieceBytes: Number.MAX_SAFE_INTEGER,
      scratchBytes: 8 * bytes,
      lowerBound: 8 * bytes,
      preparedBytes: 0,
      constantBytes: 0,
    },
    layout: { places: [], bytes: 0 },
    graphs: [],
    target: "webgpu",
    batch: 1,
    key: "dispatch",
  });
}

/** Measures in turns, on Dawn without a GPU behind it, so that nothing but the host works. */
export async function measureDispatch({
  dispatches = 600,
  rounds = 15,
  stepsPerRound = 20,
}: {
  readonly dispatches?: number;
  readonly rounds?: number;
  readonly stepsPerRound?: number;
} = {}): Promise<DispatchCosts> {
  const gpu = create(["backend=null"]);
  const adapter = (await gpu.requestAdapter())!;
  const made = { pipelines: [] as Promise<GPUComputePipeline>[], groups: [] as GPUBindGroup[] };
  let own: GPUDevice | undefined;
  /** The adapter, with a device that keeps what is made on it: so both run the very same pipelines and bind groups. */
  const watching = {
    info: adapter.info,
    limits: adapter.limits,
    features: adapter.features,
    requestDevice: async (descriptor: GPUDeviceDescriptor) => {
      own = await adapter.requestDevice(descriptor);
      const { createComputePipelineAsync, createBindGroup } = own;
      own.createComputePipelineAsync = (given) => {
        const pipeline = createComputePipelineAsync.call(own, given);
        made.pipelines.push(pipeline);
        return pipeline;
      };
      own.createBindGroup = (given) => {
        const group = createBindGroup.call(own, given);
        made.groups.push(group);
        return group;
      };
      return own;
    },
  } as unknown as GPUAdapter;
  const device = await createWebGpuDevice({ gpu, adapter: watching });
  const program = row(dispatches);
  const executable = await device.load(program);
  await executable.submit({}).done;

  const kernels = await Promise.all(made.pipelines);
  const { groups } = made;
  const launches = program.step;
  const bareStep = async (): Promise<void> => {
    const { queue } = own!;
    const encoder = own!.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let number = 0; number < launches.length; number++) {
      const { kernel, units } = launches[number]!;
      pass.setPipeline(kernels[kernel]!);
      pass.setBindGroup(0, groups[number]!);
      pass.dispatchWorkgroups(units);
    }
    pass.end();
    queue.submit([encoder.finish()]);
    await queue.onSubmittedWorkDone();
  };
  let step = 0;
  const ownStep = (): Promise<void> => executable.submit({}, { step: ++step }).done;

  const timed = async (work: () => Promise<void>): Promise<number> => {
    const start = performance.now();
    for (let run = 0; run < stepsPerRound; run++) await work();
    return (1e6 * (performance.now() - start)) / (stepsPerRound * dispatches);
  };
  for (const work of [bareStep, ownStep]) await timed(work);
  const steps: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timed(bareStep));
    steps.push(await timed(ownStep));
  }
  await device.close();
  return { dispatches, steps, bare };
}
