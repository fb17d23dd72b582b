import { bytesPerElement } from "../graph/dtype.js";
import { elementCount } from "../graph/shape.js";
import {
  type ParameterLayout,
  type ParameterPlace,
  parameterChunks,
  pieceBytes,
  segmentAlignment,
} from "../kernels/layout.js";
import type { ParameterSpec } from "./model.js";

const align = (bytes: number): number => Math.ceil(bytes / segmentAlignment) * segmentAlignment;

/** Places of a model's stored tensors in the `parameters` segment, in order of path. */
export function parameterLayout(parameters: readonly ParameterSpec[]): ParameterLayout {
  let offset = 0;
  const places = parameters.map((parameter): ParameterPlace => {
    const place = { path: parameter.path, dtype: parameter.dtype, shape: parameter.shape, offset };
    offset = align(offset + elementCount(parameter.shape) * bytesPerElement[parameter.dtype]);
    return place;
  });
  return { places, bytes: offset };
}

/** Whether a stored tensor is one of `paths` or below one of them. */
export function isBelow(path: string, paths: readonly string[]): boolean {
  return paths.some((above) => path === above || path.startsWith(`${above}.`));
}

export interface Range {
  /** In f32 elements from the segment's start. */
  readonly offset: number;
  readonly elements: number;
}

/**
 * The fewest stretches of the `parameters` segment that hold exactly the given places (and the padding between neighbours, which stays
 * zero), where a device that binds `bytesPerBinding` at once cuts the segment in none of them. Throws an Error when a tensor is larger.
 */
export function rangesOf(
  layout: ParameterLayout,
  chosen: ReadonlySet<string>,
  bytesPerBinding = Number.MAX_SAFE_INTEGER,
): Range[] {
  const cuts = new Set(parameterChunks(layout, pieceBytes(bytesPerBinding)));
  const ranges: { offset: number; elements: number }[] = [];
  let open = false;
  for (const place of layout.places) {
    if (cuts.has(place.offset)) open = false;
    if (!chosen.has(place.path)) {
      open = false;
      continue;
    }
    const end = place.offset / 4 + elementCount(place.shape);
    if (open) ranges[ranges.length - 1]!.elements = end - ranges[ranges.length - 1]!.offset;
    else ranges.push({ offset: place.offset / 4, elements: elementCount(place.shape) });
    open = true;
  }
  return ranges;
}
