/**
 * Results of `make(first)`, `make(first + 1)`, .. up to `end`, in order, prepared while their user is busy: `ahead` of them are under way
 * or waiting at any time.
 */
export function prefetch<T>(
  make: (index: number) => Promise<T>,
  first: number,
  end: number,
  ahead = 2,
): { next(): Promise<T> } {
  const waiting: Promise<T>[] = [];
  let following = first;
  // One after the other: sources are asked in order, and never for two batches at once.
  let last: Promise<unknown> = Promise.resolve();
  const extend = (): void => {
    while (waiting.length < ahead && following < end) {
      const index = following++;
      const made = last.then(() => make(index));
      // The error is met by whoever takes this result; until then it must not count as unhandled.
      made.catch(() => undefined);
      last = made;
      waiting.push(made);
    }
  };
  extend();
  return {
    async next() {
      const result = waiting.shift();
      if (result === undefined) throw new RangeError("Nothing is left to take");
      const value = await result;
      extend();
      return value;
    },
  };
}
