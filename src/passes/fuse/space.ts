/**
 * Iteration dimensions. A kernel's space is a list of dimensions; a value that is computed one number per point has a layout: for each
 * of its axes the dimensions that it is made of, outermost first. Dimensions can be split (when a reshape cuts through them) and
 * identified with others (when two kernels become one); layouts keep the old names and are resolved on use.
 */
import type { Shape } from "../../graph/shape.js";

export type Dimension = number;
export type Layout = readonly (readonly Dimension[])[];

export class Dimensions {
  readonly #extents: number[] = [];
  readonly #parts: (readonly Dimension[] | undefined)[] = [];
  readonly #fixed: boolean[] = [];

  /** A new dimension. `fixed` ones are never split. */
  create(extent: number, fixed = false): Dimension {
    this.#fixed.push(fixed);
    this.#parts.push(undefined);
    return this.#extents.push(extent) - 1;
  }

  extent(dimension: Dimension): number {
    return this.#extents[dimension]!;
  }

  canSplit(dimension: Dimension): boolean {
    return !this.#fixed[dimension];
  }

  /** Cuts a dimension in an outer and an inner one of `inner` points. False where that does not come out even. */
  split(dimension: Dimension, inner: number): boolean {
    const extent = this.extent(dimension);
    if (this.#fixed[dimension] || this.#parts[dimension]) return false;
    if (!(inner > 1 && inner < extent && extent % inner === 0)) return false;
    this.#parts[dimension] = [this.create(extent / inner), this.create(inner)];
    return true;
  }

  /** From now on `dimension` is another name for `same`, of equal extent. */
  identify(dimension: Dimension, same: Dimension): void {
    if (dimension !== same) this.#parts[dimension] = [same];
  }

  /** The dimensions that a list of names stands for now. */
  resolve(names: readonly Dimension[]): Dimension[] {
    const resolved: Dimension[] = [];
    const visit = (name: Dimension) => {
      const parts = this.#parts[name];
      if (parts) parts.forEach(visit);
      else resolved.push(name);
    };
    names.forEach(visit);
    return resolved;
  }

  resolveLayout(layout: Layout): Dimension[][] {
    return layout.map((axis) => this.resolve(axis));
  }

  /** One dimension per axis that is not of size 1. */
  layoutOf(shape: Shape, fixed = false): Layout {
    return shape.map((size) => (size === 1 ? [] : [this.create(size, fixed)]));
  }

  /**
   * Deals dimensions out to the axes of `shape` in row-major order, splitting them where an axis ends inside. Undefined where it does
   * not come out even.
   */
  regroup(names: readonly Dimension[], shape: Shape): Layout | undefined {
    const queue = this.resolve(names).reverse();
    const layout: Dimension[][] = [];
    for (const size of shape) {
      const axis: Dimension[] = [];
      let covered = 1;
      while (covered < size) {
        const dimension = queue.pop();
        if (dimension === undefined) return undefined;
        const extent = this.extent(dimension);
        if (size % covered !== 0) return undefined;
        const wanted = size / covered;
        if (wanted % extent === 0) {
          axis.push(dimension);
          covered *= extent;
        } else {
          if (extent % wanted !== 0 || !this.split(dimension, extent / wanted)) return undefined;
          queue.push(...this.resolve([dimension]).reverse());
        }
      }
      if (covered !== size) return undefined;
      layout.push(axis);
    }
    return queue.length === 0 ? layout : undefined;
  }

  sameLayout(a: Layout, b: Layout): boolean {
    return a.length === b.length && a.every((axis, place) => sameList(this.resolve(axis), this.resolve(b[place]!)));
  }
}

export const sameList = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((item, place) => item === b[place]);
