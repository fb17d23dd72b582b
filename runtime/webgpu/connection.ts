/// <reference types="@webgpu/types" preserve="true" />
/** An open GPU: what it reports about commands, and its loss. */

const scopes = ["validation", "out-of-memory", "internal"] as const;

export class Connection {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  #lost: Error | undefined;
  /** Promises that the GPU is to settle, and how they are told that it never will. */
  readonly #waiting = new Map<Promise<unknown>, (error: Error) => void>();

  constructor(device: GPUDevice) {
    this.device = device;
    this.queue = device.queue;
    void device.lost.then(({ message }) => {
      this.#lost ??= new Error(`The device was lost: ${message}`);
      for (const reject of this.#waiting.values()) reject(this.#lost);
      this.#waiting.clear();
    });
  }

  get alive(): boolean {
    return this.#lost === undefined;
  }

  /** Throws what ended the connection. */
  requireAlive(): void {
    if (this.#lost) throw this.#lost;
  }

  /** Settles as a promise of the GPU does, or rejects when the device is lost before. */
  guarded<T>(promise: Promise<T>): Promise<T> {
    if (this.#lost) {
      promise.catch(() => undefined);
      return Promise.reject(this.#lost);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.set(promise, reject);
      const over = () => this.#waiting.delete(promise);
      promise.then(
        (value) => {
          over();
          resolve(value);
        },
        (error: unknown) => {
          over();
          reject(this.#lost ?? error);
        },
      );
    });
  }

  /**
   * Does `work`, which gives commands to the GPU. `accepted` rejects with what the GPU found wrong with them, in an Error that names
   * `what`. What `work` throws is thrown.
   */
  checked<T>(what: string, work: () => T): { readonly result: T; readonly accepted: Promise<void> } {
    this.requireAlive();
    const { device } = this;
    for (const scope of scopes) device.pushErrorScope(scope);
    let reports: Promise<readonly (GPUError | null)[]>;
    let result: T;
    try {
      result = work();
    } finally {
      reports = Promise.all(scopes.map(() => device.popErrorScope()));
      reports.catch(() => undefined);
    }
    const accepted = this.guarded(reports.then((errors) => requireNone(what, errors)));
    accepted.catch(() => undefined);
    return { result, accepted };
  }

  /** Resolves when all that was submitted so far is over. */
  idle(): Promise<undefined> {
    return this.guarded(this.queue.onSubmittedWorkDone());
  }

  /** Waits for what the GPU still owes, and lets it go. */
  async close(): Promise<void> {
    while (this.#waiting.size > 0) await Promise.allSettled(this.#waiting.keys());
    this.#lost ??= new Error("The device was closed");
    this.device.destroy();
  }
}

/** Throws the first error of the scopes, which were closed last one first. */
function requireNone(what: string, [internal, memory, validation]: readonly (GPUError | null)[]): void {
  if (memory) throw new Error(`Out of memory for ${what}: ${memory.message}`);
  const error = validation ?? internal;
  if (error) throw new Error(`The GPU refused ${what}: ${error.message}`);
}
