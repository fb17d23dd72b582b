import { philox, uniformFromWord } from "../../src/primitives/philox.js";

/** Seeded random choices for tests; the same seed gives the same choices everywhere. */
export interface Source {
  /** An integer from low to high, both included. */
  integer(low: number, high: number): number;
  /** A number in [low, high), representable as float32. */
  number(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
  numbers(count: number, low: number, high: number): Float64Array;
}

export function sourceOf(seed: number): Source {
  let count = 0;
  const uniform = () => uniformFromWord(philox([count++, 0, 0, 0], [seed, 0x7e57])[0]);
  const source: Source = {
    integer: (low, high) => low + Math.floor(uniform() * (high - low + 1)),
    number: (low, high) => Math.fround(low + uniform() * (high - low)),
    chance: (probability) => uniform() < probability,
    pick: (items) => {
      if (items.length === 0) throw new Error("nothing to pick from");
      return items[Math.floor(uniform() * items.length)]!;
    },
    shuffle(items) {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = source.integer(0, last);
        [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
      }
      return shuffled;
    },
    numbers: (length, low, high) => new Float64Array(length).map(() => source.number(low, high)),
  };
  return source;
}
