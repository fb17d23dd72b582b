/** Submissions that the GPU has not finished: at most two, so that it is never idle and its queue stays short. */
export class InFlight {
  readonly #runs = new Set<Promise<void>>();
  #lastOver = 0;

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

  /** Counts a run that was just given to the GPU. `took` is told how long the GPU was at it, in milliseconds, unless it failed. */
  add(run: Promise<void>, took: (milliseconds: number) => void): void {
    const given = performance.now();
    const end = (): void => {
      this.#runs.delete(over);
      this.#lastOver = performance.now();
    };
    const over = run.then(() => {
      // It did not begin before the one before it was over.
      const begun = Math.max(given, this.#lastOver);
      end();
      took(this.#lastOver - begun);
    }, end);
    this.#runs.add(over);
  }
}
