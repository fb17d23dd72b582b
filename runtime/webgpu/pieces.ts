/**
 * How a step is cut into submissions, so that none keeps the GPU busy for long: meanwhile screens stand still, and some systems reset a
 * GPU that does not answer.
 */
import type { Launch } from "../../codegen/program.js";

/** Milliseconds that a submission should take at most. */
const longest = 100;

/** By how much a GPU is expected to be faster than the one thread for which costs are told, before any run was timed. */
const expectedSpeed = 20;

export class Pieces {
  readonly #launches: readonly Launch[];
  readonly #cost: number;
  #fastest = Number.POSITIVE_INFINITY;
  #ends: readonly number[];

  constructor(launches: readonly Launch[]) {
    this.#launches = launches;
    this.#cost = launches.reduce((sum, { cost }) => sum + cost, 0);
    this.#ends = this.#cut(this.#cost / 1e6 / expectedSpeed / longest);
  }

  /** The number after each piece's last launch. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Learns from a run, which the host may have heard of late. */
  took(milliseconds: number): void {
    if (milliseconds >= this.#fastest) return;
    this.#fastest = milliseconds;
    this.#ends = this.#cut(milliseconds / longest);
  }

  /** Pieces of about equal cost. */
  #cut(wanted: number): readonly number[] {
    const count = this.#launches.length;
    if (wanted <= 1) return [count];
    const ends: number[] = [];
    let cost = 0;
    for (const [number, launch] of this.#launches.entries()) {
      cost += launch.cost;
      // The last piece has what is left.
      if (number + 1 < count && cost >= ((ends.length + 1) / wanted) * this.#cost) ends.push(number + 1);
    }
    return [...ends, count];
  }
}
