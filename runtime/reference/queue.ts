/** Runs tasks one after the other, in the order they were enqueued. A task that fails does not stop the ones after it. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** The task's result. The host's event loop turns before every task, so that a long row of them starves nothing else. */
  enqueue<T>(task: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("The device was closed"));
    const result = this.#last.then(() => new Promise((resume) => setTimeout(resume, 0))).then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Does `task`, which may not fail, when all that came before is over: also after the queue was closed. */
  afterAll(task: () => void): void {
    this.#last = this.#last.then(task);
  }

  /** Takes no more tasks, and resolves when those enqueued so far are over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}
