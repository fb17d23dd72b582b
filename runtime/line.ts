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

  /** Takes no more tasks, does `last`, and resolves when that and all that came before are over. */
  async close(last: () => void | Promise<void> = () => undefined): Promise<void> {
    this.#closed = true;
    const ended = this.#last.then(last);
    this.#last = ended.catch(() => undefined);
    await ended;
  }
}
