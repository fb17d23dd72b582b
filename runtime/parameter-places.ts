import { sameShape } from "../src/graph/shape.js";
import type { ParameterLayout, ParameterPlace } from "../src/kernels/layout.js";

/** The segments that a set of parameters has. */
export type StoredSegment = "parameters" | "gradients" | "optimizer";
export const storedSegments: readonly StoredSegment[] = ["parameters", "gradients", "optimizer"];

/** A layout's tensors by path. */
export class ParameterPlaces {
  readonly #layout: ParameterLayout;
  readonly #places: ReadonlyMap<string, ParameterPlace>;

  constructor(layout: ParameterLayout) {
    this.#layout = layout;
    this.#places = new Map(layout.places.map((place) => [place.path, place]));
  }

  /** Throws an Error when there is no such parameter. */
  of(path: string): ParameterPlace {
    const place = this.#places.get(path);
    if (!place) throw new Error(`There is no parameter ${JSON.stringify(path)}`);
    return place;
  }

  /** Throws an Error where a program's tensors do not stand as they stand here. */
  require(layout: ParameterLayout): void {
    for (const wanted of layout.places) {
      const { dtype, shape, offset } = this.of(wanted.path);
      if (dtype !== wanted.dtype || offset !== wanted.offset || !sameShape(shape, wanted.shape)) {
        throw new Error(
          `Parameter ${JSON.stringify(wanted.path)} has another type or place in the program than in the parameters`,
        );
      }
    }
    if (layout.bytes > this.#layout.bytes)
      throw new Error("The program's parameter layout is larger than the parameters");
  }
}
