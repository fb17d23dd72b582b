/**
 * Operators made of others, by their tokens. Slots are averaged, not changes of weights: of products of slots, as in low-rank changes, the product
 * of averages is not the average of products.
 */

/** (1 - t) a + t b. Throws RangeError for operators of different sizes. */
export function interpolateOperators(a: Float32Array, b: Float32Array, t: number): Float32Array {
  return averageOperators([a, b], [1 - t, t]);
}

/**
 * The mean of operators, weighted by `weights` (equal ones unless given), which are used as they are and need not add up to 1. Throws RangeError for
 * no operators, operators of different sizes, and another number of weights.
 */
export function averageOperators(
  operators: readonly Float32Array[],
  weights: readonly number[] = operators.map(() => 1 / operators.length),
): Float32Array {
  const [first] = operators;
  if (!first) throw new RangeError("there are no operators to average");
  if (weights.length !== operators.length) {
    throw new RangeError(`${operators.length} operators were given, and ${weights.length} weights`);
  }
  const other = operators.find(({ length }) => length !== first.length);
  if (other) throw new RangeError(`operators of ${first.length} and of ${other.length} numbers do not combine`);
  const sum = new Float64Array(first.length);
  operators.forEach((tokens, place) => {
    const weight = weights[place]!;
    for (let index = 0; index < sum.length; index++) sum[index]! += weight * tokens[index]!;
  });
  return Float32Array.from(sum);
}
