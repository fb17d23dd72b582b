/// <reference types="@webgpu/types" preserve="true" />
import type { KernelText } from "../../codegen/program.js";
import type { Connection } from "./connection.js";
import { computeStage } from "./usage.js";

/** What a kernel may do with what it is bound to: one that does more is refused. */
export interface KernelUse {
  /** Bytes of its arguments. */
  readonly argumentBytes: number;
  /** Whether it may write each of its buffers. */
  readonly writable: readonly boolean[];
}

export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiled kernels of a device: equal texts are compiled once. */
export class Pipelines {
  readonly #connection: Connection;
  readonly #kernels = new Map<string, Promise<Kernel>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Compiles kernels side by side. `labels` say what each computes, `uses` what it may do. Rejects with an Error that names the first that
   * the GPU's compiler refuses, with the compiler's message.
   */
  async compile(
    texts: readonly KernelText[],
    labels: readonly (string | undefined)[],
    uses: readonly KernelUse[],
  ): Promise<{ readonly kernels: readonly Kernel[]; readonly compiled: number }> {
    let compiled = 0;
    const waiting = texts.map((text, place) => {
      const use = uses[place]!;
      const key = [text.name, useKey(use), text.source].join("\n");
      const known = this.#kernels.get(key);
      if (known) return known;
      compiled++;
      const kernel = this.#compile(text, labels[place] ?? text.name, use);
      this.#kernels.set(key, kernel);
      kernel.catch(() => this.#kernels.delete(key));
      return kernel;
    });
    const settled = await Promise.allSettled(waiting);
    const kernels = settled.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
    return { kernels, compiled };
  }

  async #compile({ name, source }: KernelText, label: string, use: KernelUse): Promise<Kernel> {
    const { device } = this.#connection;
    const what = `kernel ${JSON.stringify(label)}`;
    const { result, accepted } = this.#connection.checked(what, () => {
      const bindGroupLayout = this.#layoutFor(use);
      const layout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
      return { module: device.createShaderModule({ label, code: source }), layout, bindGroupLayout };
    });
    const { module, layout, bindGroupLayout } = result;
    try {
      const pipeline = this.#connection.guarded(
        device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: name } }),
      );
      pipeline.catch(() => undefined);
      await accepted;
      return { pipeline: await pipeline, layout: bindGroupLayout };
    } catch (error) {
      this.#connection.requireAlive();
      // The compiler's own words come first; without them the pipeline's are all there is.
      await accepted;
      throw new Error(`The GPU refused ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #layoutFor(use: KernelUse): GPUBindGroupLayout {
    const key = useKey(use);
    let layout = this.#layouts.get(key);
    if (!layout) {
      const visibility = computeStage;
      layout = this.#connection.device.createBindGroupLayout({
        entries: [
          { binding: 0, visibility, buffer: { type: "uniform", minBindingSize: use.argumentBytes } },
          ...use.writable.map(
            (writable, place): GPUBindGroupLayoutEntry => ({
              binding: place + 1,
              visibility,
              // A size told here is not compared again at every dispatch.
              buffer: { type: writable ? "storage" : "read-only-storage", minBindingSize: 4 },
            }),
          ),
        ],
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

const useKey = ({ argumentBytes, writable }: KernelUse): string => `${argumentBytes} ${writable.map(Number).join("")}`;
