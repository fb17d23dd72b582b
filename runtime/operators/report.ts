/** How much an operator changes each module, in numbers that can be compared, shown and bounded. */
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { elementCount } from "../../src/graph/shape.js";
import { effectiveRank, singularValues } from "./singular-values.js";
import { foldedNumbers, type OperatorSite, type SlotNumbers, type StoredValue } from "./site-changes.js";
import type { SlotAddress } from "./slots.js";
import { type OperatorSpace, requireTokens } from "./space.js";

/** How large the change of one module is. */
export interface ChangeSize {
  /**
   * "weight": the change of the module's weight and bias. "slots": how far the slots stand from their start, where the interface folds into no weight.
   */
  readonly measure: "weight" | "slots";
  /** The square root of the sum of all squares. */
  readonly norm: number;
  /** In parts of the norm of the module's own weight and bias; absent for slots. */
  readonly relative?: number;
}

export interface SiteReport extends ChangeSize {
  /** Path of the module. */
  readonly path: string;
  /** Names of the interfaces that are applied to it. */
  readonly interfaces: readonly string[];
  /** Why slots are measured. */
  readonly reason?: string;
  /** Singular values of the weight's change, largest first, without those that rounding makes. */
  readonly singularValues?: Float64Array;
  /** exp(entropy of the singular values): on how many directions the change acts. */
  readonly effectiveRank?: number;
}

/**
 * What one operator does to each of its modules. Changes of weights are computed in float64 from the stored tensors, which `stored` gives; a change of
 * rank k takes time in proportion to k rows columns.
 */
export function reportOperator(space: OperatorSpace, tokens: Float32Array, stored: StoredValue): SiteReport[] {
  requireTokens(space, tokens);
  return space.sites().map((site): SiteReport => {
    const { path, interfaces, fold } = site;
    const read: SlotNumbers = (address) => address.read(tokens);
    const size = changeSize(site, read, stored);
    if (fold instanceof WeftError) return { path, interfaces, ...size, reason: fold.diagnostics[0]!.message };
    const { change, baseWeight } = foldedNumbers(site, fold, read, stored);
    const rows = change.shape[0]!;
    const data = withoutRounding(change.data, baseWeight.data);
    const values = singularValues(data, rows, elementCount(change.shape) / rows);
    return { path, interfaces, ...size, singularValues: values, effectiveRank: effectiveRank(values) };
  });
}

/** Where the change could not be told from the weight by algebra, it has the rounding of the weight, which would be directions of its own. */
function withoutRounding(change: Float64Array, from: Float64Array): Float64Array {
  const largest = from.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  return change.map((number) => (Math.abs(number) <= 1e-14 * largest ? 0 : number));
}

/** The size of the change that given slots make at one site. */
export function changeSize(site: OperatorSite, numbersOf: SlotNumbers, stored: StoredValue): ChangeSize {
  if (site.fold instanceof WeftError) return { measure: "slots", norm: slotDistance(site, numbersOf) };
  const { change, baseWeight, bias, baseBias } = foldedNumbers(site, site.fold, numbersOf, stored);
  const squares = (data: Float64Array) => data.reduce((sum, number) => sum + number * number, 0);
  const offset = bias ? squares(bias.data.map((number, place) => number - baseBias!.data[place]!)) : 0;
  const norm = Math.sqrt(squares(change.data) + offset);
  const own = Math.sqrt(squares(baseWeight.data) + (baseBias ? squares(baseBias.data) : 0));
  return { measure: "weight", norm, relative: norm / own };
}

function slotDistance(site: OperatorSite, numbersOf: SlotNumbers): number {
  let sum = 0;
  for (const address of movableSlots(site)) {
    const start = startOf(address) ?? 0;
    for (const number of numbersOf(address)) sum += (number - start) ** 2;
  }
  return Math.sqrt(sum);
}

/**
 * The slots by which a site's change is made smaller: those that start at one number, since an interface equals its base when they stand there. Where
 * all start at random, all of them, about zero.
 */
export function movableSlots({ slots }: OperatorSite): readonly SlotAddress[] {
  const settled = slots.filter((address) => startOf(address) !== undefined);
  return settled.length > 0 ? settled : slots;
}

/** The number that a slot starts at; undefined where it starts at random. */
export function startOf({ slot }: SlotAddress): number | undefined {
  switch (slot.initializer.kind) {
    case "zeros":
      return 0;
    case "constant":
      return slot.initializer.value;
    default:
      return undefined;
  }
}
