/** Runs tasks one after the other in the order they came. A task that fails does not stop those after it. */
export class Line {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  enqueue<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("The device was closed"));
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Does `task`, which may not fail, when all that came before is over: also after the line was closed, and while it still ends. */
  afterAll(task: () => void): void {
    this.#last = this.#last.then(task);
  }

  /** Takes no more tasks, and resolves when those that came so far are over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}
