/** Matrices in float64, worked on plainly: what other formats say of an operator is compared with what the operator does. */

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export function matrix(rows: number, columns: number, entry: (row: number, column: number) => number): Matrix {
  const data = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data[row * columns + column] = entry(row, column);
  }
  return { rows, columns, data };
}

export const entry = ({ columns, data }: Matrix, row: number, column: number): number => data[row * columns + column]!;

export const identity = (size: number): Matrix => matrix(size, size, (row, column) => (row === column ? 1 : 0));

export const transpose = (a: Matrix): Matrix => matrix(a.columns, a.rows, (row, column) => entry(a, column, row));

export const scale = (a: Matrix, factor: number): Matrix => ({ ...a, data: a.data.map((number) => factor * number) });

export const add = (a: Matrix, b: Matrix): Matrix => ({
  ...a,
  data: a.data.map((number, place) => number + b.data[place]!),
});

export const hadamard = (a: Matrix, b: Matrix): Matrix => ({
  ...a,
  data: a.data.map((number, place) => number * b.data[place]!),
});

export function multiply(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.columns);
  for (let row = 0; row < a.rows; row++) {
    for (let inner = 0; inner < a.columns; inner++) {
      const factor = a.data[row * a.columns + inner]!;
      if (factor === 0) continue;
      const [from, to] = [inner * b.columns, row * b.columns];
      for (let column = 0; column < b.columns; column++) data[to + column]! += factor * b.data[from + column]!;
    }
  }
  return { rows: a.rows, columns: b.columns, data };
}

export const scaleRows = (a: Matrix, factors: ArrayLike<number>): Matrix =>
  matrix(a.rows, a.columns, (row, column) => factors[row]! * entry(a, row, column));

export const scaleColumns = (a: Matrix, factors: ArrayLike<number>): Matrix =>
  matrix(a.rows, a.columns, (row, column) => factors[column]! * entry(a, row, column));

export const kronecker = (a: Matrix, b: Matrix): Matrix =>
  matrix(
    a.rows * b.rows,
    a.columns * b.columns,
    (row, column) =>
      entry(a, Math.floor(row / b.rows), Math.floor(column / b.columns)) * entry(b, row % b.rows, column % b.columns),
  );

/** The length of each row. */
export const rowLengths = (a: Matrix): Float64Array =>
  Float64Array.from({ length: a.rows }, (_, row) => {
    const numbers = a.data.subarray(row * a.columns, (row + 1) * a.columns);
    return Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0));
  });

/** By elimination with pivots. */
export function inverse(a: Matrix): Matrix {
  const size = a.rows;
  const work = matrix(size, 2 * size, (row, column) =>
    column < size ? entry(a, row, column) : column - size === row ? 1 : 0,
  );
  const { data, columns } = work;
  for (let place = 0; place < size; place++) {
    let pivot = place;
    for (let row = place; row < size; row++) {
      if (Math.abs(data[row * columns + place]!) > Math.abs(data[pivot * columns + place]!)) pivot = row;
    }
    for (let column = 0; column < columns; column++) {
      const [upper, lower] = [place * columns + column, pivot * columns + column];
      [data[upper], data[lower]] = [data[lower]!, data[upper]!];
    }
    const factor = 1 / data[place * columns + place]!;
    for (let column = 0; column < columns; column++) data[place * columns + column]! *= factor;
    for (let row = 0; row < size; row++) {
      const multiple = data[row * columns + place]!;
      if (row === place || multiple === 0) continue;
      for (let column = 0; column < columns; column++) {
        data[row * columns + column]! -= multiple * data[place * columns + column]!;
      }
    }
  }
  return matrix(size, size, (row, column) => entry(work, row, column + size));
}
