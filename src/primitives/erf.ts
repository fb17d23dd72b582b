const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/**
 * The error function in float64, within 1e-15. Below 3: the series erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!
 * (Abramowitz and Stegun 7.1.6; all terms are positive, so nothing cancels). Above: one minus the continued fraction of erfc
 * (7.1.14), whose share is below 1e-4 there.
 */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 6)) return Number.isNaN(x) ? x : Math.sign(x);
  const square = magnitude * magnitude;
  if (magnitude < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    return TWO_OVER_ROOT_PI * Math.exp(-square) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (magnitude + fraction);
  const complement = Math.exp(-square) / Math.sqrt(Math.PI) / (magnitude + fraction);
  return Math.sign(x) * (1 - complement);
}
