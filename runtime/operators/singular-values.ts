/** What a matrix does beside its size: how many directions it acts on. */

/** Columns left over below this part of the largest one count as rounding. */
const negligible = 1e-13;

/**
 * The singular values of a row-major matrix, largest first, but those that rounding alone could make. A matrix of rank k takes time in proportion to
 * k rows columns: first its rows are written in a basis of the space that they span (Gram and Schmidt, with pivots), then the few
 * coordinates are made orthogonal (Jacobi's rotations).
 */
export function singularValues(data: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const coordinates = inOwnBasis(Float64Array.from(data), rows, columns);
  orthogonalise(coordinates);
  return Float64Array.from(coordinates, (row) => Math.sqrt(dot(row, row))).sort((a, b) => b - a);
}

/** exp(entropy of the singular values as shares of their sum): a number from 1 to the rank, 0 for zeros (Roy and Vetterli 2007). */
export function effectiveRank(values: ArrayLike<number>): number {
  const list = Array.from(values).filter((value) => value > 0);
  const total = list.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  return Math.exp(list.reduce((sum, value) => sum - (value / total) * Math.log(value / total), 0));
}

/** A matrix with the same singular values and as many rows as its rank. */
function inOwnBasis(matrix: Float64Array, rows: number, columns: number): Float64Array[] {
  const left = Array.from({ length: rows }, (_, row) => matrix.slice(row * columns, (row + 1) * columns));
  const sizes = left.map((row) => dot(row, row));
  const largest = Math.max(0, ...sizes);
  const basis: Float64Array[] = [];
  const coordinates: Float64Array[] = [];
  const most = Math.min(rows, columns);
  while (basis.length < most) {
    let pivot = 0;
    for (let row = 1; row < rows; row++) if (sizes[row]! > sizes[pivot]!) pivot = row;
    if (!(sizes[pivot]! > largest * negligible ** 2)) break;
    const direction = left[pivot]!.slice();
    // A second time, since rounding leaves a little of the directions before.
    for (const other of basis) subtract(direction, other, dot(direction, other));
    const length = Math.sqrt(dot(direction, direction));
    if (length === 0) break;
    for (let column = 0; column < columns; column++) direction[column]! /= length;
    const along = Float64Array.from(left, (row) => dot(row, direction));
    left.forEach((row, place) => {
      subtract(row, direction, along[place]!);
      sizes[place] = dot(row, row);
    });
    basis.push(direction);
    coordinates.push(along);
  }
  return coordinates;
}

/** Turns pairs of rows until all are orthogonal; their lengths are the singular values then (Hestenes 1958). */
function orthogonalise(rows: readonly Float64Array[]): void {
  for (let sweep = 0; sweep < 60; sweep++) {
    let turned = false;
    for (let first = 0; first < rows.length; first++) {
      for (let second = first + 1; second < rows.length; second++) {
        const [a, b] = [rows[first]!, rows[second]!];
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb)) continue;
        turned = true;
        const zeta = (bb - aa) / (2 * ab);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        const sine = cosine * tangent;
        for (let place = 0; place < a.length; place++) {
          const [x, y] = [a[place]!, b[place]!];
          a[place] = cosine * x - sine * y;
          b[place] = sine * x + cosine * y;
        }
      }
    }
    if (!turned) return;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let place = 0; place < a.length; place++) sum += a[place]! * b[place]!;
  return sum;
}

function subtract(from: Float64Array, direction: Float64Array, factor: number): void {
  for (let place = 0; place < from.length; place++) from[place]! -= factor * direction[place]!;
}
