/**
 * Replaces a row-major [rows, columns] matrix of full rank by the nearest thing with orthonormal rows or columns, whichever are fewer:
 * the Q of its QR decomposition with a positive diagonal of R, which is uniformly distributed when the matrix is normal (Mezzadri, "How
 * to generate random matrices from the classical compact groups", 2007). Gram-Schmidt, done twice per vector, which is enough for
 * orthogonality to working precision (Giraud and others, 2005).
 */
export function orthogonalize(matrix: Float64Array, rows: number, columns: number): void {
  const byRows = rows <= columns;
  const count = byRows ? rows : columns;
  const length = byRows ? columns : rows;
  // Vectors side by side in memory.
  const vectors = byRows ? matrix : transpose(matrix, rows, columns);
  for (let current = 0; current < count; current++) {
    const vector = vectors.subarray(current * length, (current + 1) * length);
    for (let pass = 0; pass < 2; pass++) {
      for (let earlier = 0; earlier < current; earlier++) {
        const other = vectors.subarray(earlier * length, (earlier + 1) * length);
        let product = 0;
        for (let index = 0; index < length; index++) product += vector[index]! * other[index]!;
        for (let index = 0; index < length; index++) vector[index]! -= product * other[index]!;
      }
    }
    let square = 0;
    for (let index = 0; index < length; index++) square += vector[index]! ** 2;
    const norm = Math.sqrt(square);
    for (let index = 0; index < length; index++) vector[index]! /= norm;
  }
  if (!byRows) matrix.set(transpose(vectors, columns, rows));
}

function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const transposed = new Float64Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) transposed[column * rows + row] = matrix[row * columns + column]!;
  }
  return transposed;
}
