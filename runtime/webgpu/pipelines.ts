/// <reference types="@webgpu/types" preserve="true" />
import type { KernelText } from "../../codegen/program.js";
import type { Connection } from "./connection.js";

export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiled kernels of a device: equal texts are compiled once. */
export class Pipelines {
  readonly #connection: Connection;
  readonly #kernels = new Map<string, Promise<Kernel>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Compiles kernels side by side. `labels` say what each computes. Rejects with an Error that names the first that the GPU's compiler
   * refuses, with the compiler's message.
   */
  async compile(
    texts: readonly KernelText[],
    labels: readonly (string | undefined)[],
  ): Promise<{ readonly kernels: readonly Kernel[]; readonly compiled: number }> {
    let compiled = 0;
    const waiting = texts.map((text, place) => {
      const key = `${text.name}\n${text.source}`;
      const known = this.#kernels.get(key);
      if (known) return known;
      compiled++;
      const kernel = this.#compile(text, labels[place] ?? text.name);
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

  async #compile({ name, source }: KernelText, label: string): Promise<Kernel> {
    const { device } = this.#connection;
    const what = `kernel ${JSON.stringify(label)}`;
    const { result: module, accepted } = this.#connection.checked(what, () =>
      device.createShaderModule({ label, code: source }),
    );
    try {
      const pipeline = this.#connection.guarded(
        device.createComputePipelineAsync({ label, layout: "auto", compute: { module, entryPoint: name } }),
      );
      pipeline.catch(() => undefined);
      await accepted;
      return { pipeline: await pipeline, layout: (await pipeline).getBindGroupLayout(0) };
    } catch (error) {
      this.#connection.requireAlive();
      // The compiler's own words come first; without them the pipeline's are all there is.
      await accepted;
      throw new Error(`The GPU refused ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
