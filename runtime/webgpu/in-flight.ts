/** Submissions that the GPU has not finished: at most two, so that it is never idle and its queue stays short. */
export class InFlight {
  readonly #runs = new Set<Promise<void>>();

  /** Resolves when another may be submitted. */
  async turn(): Promise<void> {
    while (this.#runs.size >= 2) await this.#oldest();
  }

  /** Resolves when all are over. */
  async idle(): Promise<void> {
    while (this.#runs.size > 0) await this.#oldest();
  }

  async #oldest(): Promise<void> {
    const [run] = this.#runs;
    await run;
  }

  add(run: Promise<void>): void {
    const over = run
      .catch(() => undefined)
      .then(() => {
        this.#runs.delete(over);
      });
    this.#runs.add(over);
  }
}
