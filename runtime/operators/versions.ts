/** What an operator was before it became what it is. */

export interface OperatorVersion {
  /** 0 is the base. */
  readonly version: number;
  readonly note: string;
}

export interface VersionOptions {
  /** Puts tokens into force, for instance by writing them to a device. A version counts only once this is done. */
  readonly store?: (tokens: Float32Array) => Promise<void>;
  /** How many versions besides the base are kept; the oldest go first, but never the one in force. Default: 8. */
  readonly keep?: number;
}

interface Held extends OperatorVersion {
  readonly tokens: Float32Array;
}

/**
 * Holds an operator that changes over time, and the way back: to any version that is kept, and always to the base. Calls made while one is under way wait
 * for it, in order.
 */
export class OperatorVersions {
  readonly #base: Held;
  readonly #options: VersionOptions;
  #held: Held[] = [];
  #current: Held;
  #next = 1;
  #queue: Promise<unknown> = Promise.resolve();

  /** `base` is what `rollback()` returns to: tokens as they start, as a rule. It counts as being in force already. */
  constructor(base: Float32Array, options: VersionOptions = {}) {
    this.#base = { version: 0, note: "base", tokens: base.slice() };
    this.#current = this.#base;
    this.#options = options;
  }

  /** A copy of the tokens in force. */
  get tokens(): Float32Array {
    return this.#current.tokens.slice();
  }

  get version(): number {
    return this.#current.version;
  }

  /** The base and all versions that are kept, oldest first. */
  get versions(): readonly OperatorVersion[] {
    return [this.#base, ...this.#held].map(({ version, note }) => ({ version, note }));
  }

  /** Puts tokens into force; resolves to their version. Rejects with RangeError for another size, and with what `store` rejects with. */
  apply(tokens: Float32Array, note = ""): Promise<number> {
    const copy = tokens.slice();
    return this.#enqueue(async () => {
      const { length } = this.#base.tokens;
      if (copy.length !== length) {
        throw new RangeError(`the operator has ${length} numbers, but ${copy.length} were given`);
      }
      await this.#options.store?.(copy);
      const held = { version: this.#next++, note, tokens: copy };
      this.#current = held;
      const { keep = 8 } = this.#options;
      this.#held = [...this.#held, held].slice(-Math.max(1, keep));
      return held.version;
    });
  }

  /** Puts an earlier version into force again, without one the base. Rejects with RangeError when it is not kept. */
  rollback(version = 0): Promise<void> {
    return this.#enqueue(async () => {
      const found = version === 0 ? this.#base : this.#held.find((held) => held.version === version);
      if (!found) {
        const kept = this.versions.map((held) => held.version).join(", ");
        throw new RangeError(`version ${version} is not kept; there are ${kept}`);
      }
      await this.#options.store?.(found.tokens.slice());
      this.#current = found;
    });
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
