import { type Diagnostic, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import type { Tensor } from "../tensors/tensor.js";
import { foldedNumbers, type StoredValue } from "./site-changes.js";
import { type OperatorSpace, requireTokens } from "./space.js";

/**
 * The stored tensors that change when one operator is folded in, by path. Computed in float64 and rounded once. Throws WeftError with all that does not
 * fold into a weight, and an Error for modules whose stored tensors cannot hold what comes out.
 */
export function mergeOperator(space: OperatorSpace, tokens: Float32Array, stored: StoredValue): Map<string, Tensor> {
  requireTokens(space, tokens);
  const sites = space.sites();
  const reasons = new Map<string, Diagnostic>();
  for (const { fold } of sites) {
    if (!(fold instanceof WeftError)) continue;
    // One interface is in the way at every site alike; its first one says it.
    for (const diagnostic of fold.diagnostics) {
      const { file, start } = diagnostic.span;
      const key = `${file} ${start}`;
      if (!reasons.has(key)) reasons.set(key, diagnostic);
    }
  }
  if (reasons.size > 0) throw new WeftError([...reasons.values()]);
  const merged = new Map<string, Tensor>();
  for (const site of sites) {
    if (site.fold instanceof WeftError) continue;
    const { stored: places, lacks } = site.fold;
    if (!places || lacks) throw new Error(`${site.path} cannot hold the merged operator: ${lacks}`);
    const { weight, bias } = foldedNumbers(site, site.fold, ({ read }) => read(tokens), stored);
    merged.set(places.weight, rounded(weight));
    if (places.bias !== undefined && bias) merged.set(places.bias, rounded(bias));
  }
  return merged;
}

const rounded = ({ shape, data }: { readonly shape: readonly number[]; readonly data: Float64Array }): Tensor => ({
  dtype: "f32",
  shape,
  data: Float32Array.from(data),
});
