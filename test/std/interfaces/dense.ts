/** Matrices as lists of rows, worked on in the plainest way: what results of the library are compared with. */

export type Matrix = readonly (readonly number[])[];

export const matrix = (rows: number, columns: number, entry: (row: number, column: number) => number): Matrix =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => entry(row, column)));

export const identity = (size: number): Matrix => matrix(size, size, (row, column) => (row === column ? 1 : 0));

/** Numbers in a row-major list as a matrix. */
export const rowsOf = (numbers: ArrayLike<number>, columns: number): Matrix =>
  matrix(numbers.length / columns, columns, (row, column) => numbers[row * columns + column]!);

export const transpose = (a: Matrix): Matrix => matrix(a[0]!.length, a.length, (row, column) => a[column]![row]!);

export const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, place) => sum + x * b[place]!, 0);

export function multiply(...factors: readonly Matrix[]): Matrix {
  return factors.reduce((a, b) => {
    const columns = transpose(b);
    return a.map((row) => columns.map((column) => dot(row, column)));
  });
}

export const combine = (a: Matrix, b: Matrix, entry: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => entry(x, b[i]![j]!)));

export const add = (a: Matrix, b: Matrix): Matrix => combine(a, b, (x, y) => x + y);
export const hadamard = (a: Matrix, b: Matrix): Matrix => combine(a, b, (x, y) => x * y);
export const scale = (a: Matrix, factor: number): Matrix => a.map((row) => row.map((x) => factor * x));
export const scaleRows = (a: Matrix, factors: readonly number[]): Matrix =>
  a.map((row, i) => row.map((x) => factors[i]! * x));
export const diagonal = (entries: readonly number[]): Matrix => scaleRows(identity(entries.length), entries);

export const kronecker = (a: Matrix, b: Matrix): Matrix =>
  matrix(
    a.length * b.length,
    a[0]!.length * b[0]!.length,
    (row, column) =>
      a[Math.floor(row / b.length)]![Math.floor(column / b[0]!.length)]! * b[row % b.length]![column % b[0]!.length]!,
  );

/** Square blocks along the diagonal. */
export function blockDiagonal(blocks: readonly Matrix[]): Matrix {
  const size = blocks[0]!.length;
  return matrix(blocks.length * size, blocks.length * size, (row, column) =>
    Math.floor(row / size) === Math.floor(column / size)
      ? blocks[Math.floor(row / size)]![row % size]![column % size]!
      : 0,
  );
}

/** By elimination with pivots. */
export function inverse(a: Matrix): Matrix {
  const size = a.length;
  const work = a.map((row, i) => [...row, ...identity(size)[i]!]);
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column; row < size; row++) {
      if (Math.abs(work[row]![column]!) > Math.abs(work[pivot]![column]!)) pivot = row;
    }
    [work[column], work[pivot]] = [work[pivot]!, work[column]!];
    const lead = work[column]!.map((x) => x / work[column]![column]!);
    for (let row = 0; row < size; row++) {
      const factor = work[row]![column]!;
      work[row] = row === column ? lead : work[row]!.map((x, place) => x - factor * lead[place]!);
    }
  }
  return work.map((row) => row.slice(size));
}

/** The skew-symmetric matrix with these numbers above its diagonal, row by row. */
export function skew(above: readonly number[], size: number): Matrix {
  const entries = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  let next = 0;
  for (let row = 0; row < size; row++) {
    for (let column = row + 1; column < size; column++) {
      entries[row]![column] = above[next]!;
      entries[column]![row] = -above[next++]!;
    }
  }
  return entries;
}

/** (I + Q) (I - Q)^-1 */
export const cayley = (q: Matrix): Matrix =>
  multiply(add(identity(q.length), q), inverse(add(identity(q.length), scale(q, -1))));

/** I - 2 v v^T / |v|^2 */
export const reflection = (v: readonly number[]): Matrix =>
  matrix(v.length, v.length, (row, column) => (row === column ? 1 : 0) - (2 * v[row]! * v[column]!) / dot(v, v));

/** softmax(q k^T / sqrt(d)) v where each query may attend to all. */
export function attend(q: Matrix, k: Matrix, v: Matrix): Matrix {
  return q.map((query) => {
    const scores = k.map((key) => Math.exp(dot(query, key) / Math.sqrt(query.length)));
    const total = scores.reduce((sum, score) => sum + score, 0);
    return v[0]!.map((_, column) => v.reduce((sum, row, place) => sum + (scores[place]! / total) * row[column]!, 0));
  });
}

/** A convolution [out, in, kernel, kernel] of a picture [in, h, w] with zeros around it, both row-major. */
export function convolve(
  picture: ArrayLike<number>,
  [channels, height, width]: readonly [number, number, number],
  weight: (out: number, channel: number, i: number, j: number) => number,
  { outputs, kernel, stride = 1, padding = 0 }: { outputs: number; kernel: number; stride?: number; padding?: number },
): number[] {
  const size = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
  const result: number[] = [];
  for (let out = 0; out < outputs; out++) {
    for (let row = 0; row < size(height); row++) {
      for (let column = 0; column < size(width); column++) {
        let sum = 0;
        for (let channel = 0; channel < channels; channel++) {
          for (let i = 0; i < kernel; i++) {
            for (let j = 0; j < kernel; j++) {
              const [y, x] = [row * stride + i - padding, column * stride + j - padding];
              if (y < 0 || y >= height || x < 0 || x >= width) continue;
              sum += weight(out, channel, i, j) * picture[(channel * height + y) * width + x]!;
            }
          }
        }
        result.push(sum);
      }
    }
  }
  return result;
}
