/** Order of paths: part by part, numbers by value, so that a module's tensors are one run and layers follow each other. */
export function byPath(a: string, b: string): number {
  const [left, right] = [a.split("."), b.split(".")];
  for (let place = 0; place < Math.min(left.length, right.length); place++) {
    const [x, y] = [left[place]!, right[place]!];
    if (x === y) continue;
    const numbers = /^\d+$/.test(x) && /^\d+$/.test(y);
    if (numbers) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
