/** Operators kept from changing any module too much. */
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { type ChangeSize, changeSize, movableSlots, startOf } from "./report.js";
import type { OperatorSite, SlotNumbers, StoredValue } from "./site-changes.js";
import { type OperatorSpace, requireTokens } from "./space.js";

/** The most that the change of one module may be: its norm, and its norm in parts of the norm of the module's own weight and bias. */
export interface ChangeLimit {
  readonly norm?: number;
  readonly relative?: number;
}

export interface ClippedSite {
  readonly path: string;
  readonly measure: ChangeSize["measure"];
  /** Norm of the change as it was given, and as it is now. */
  readonly before: number;
  readonly after: number;
  /** By how much the slots' distance from their start was multiplied. */
  readonly factor: number;
}

export interface BoundedOperator {
  readonly tokens: Float32Array;
  /** The modules whose change was made smaller. */
  readonly clipped: readonly ClippedSite[];
}

/**
 * The operator with every change at or below the limit: where it is above, slots move towards their start until it is not, and less than a thousandth
 * below it. Slots that modules share move for all of them. Throws an Error where the limit is relative and an interface folds into no
 * weight, and where a module is changed too much even by slots as they start.
 */
export function boundOperator(
  space: OperatorSpace,
  given: Float32Array,
  limit: ChangeLimit,
  stored: StoredValue,
): BoundedOperator {
  requireTokens(space, given);
  const tokens = given.slice();
  const sites = space.sites();
  const clipped = new Map<OperatorSite, { readonly before: number; factor: number }>();
  const read: SlotNumbers = (address) => address.read(tokens);
  const shared = sharedPlaces(sites);
  let left = sites;
  while (left.length > 0) {
    const moved = new Set<string>();
    for (const site of left) {
      const size = changeSize(site, read, stored);
      if (excess(site, size, limit) <= 1) continue;
      const factor = largestFactor(site, tokens, limit, stored);
      const known = clipped.get(site);
      if (known) known.factor *= factor;
      else clipped.set(site, { before: size.norm, factor });
      for (const address of movableSlots(site)) {
        moved.add(address.place);
        address.write(tokens, towardsStart(address.read(tokens), startOf(address) ?? 0, factor));
      }
    }
    // What shares a slot with a module that was clipped has changed too.
    left = sites.filter(({ slots }) => slots.some(({ place }) => moved.has(place) && shared.has(place)));
  }
  return {
    tokens,
    clipped: [...clipped].map(([site, { before, factor }]) => {
      const { measure, norm } = changeSize(site, read, stored);
      return { path: site.path, measure, before, after: norm, factor };
    }),
  };
}

/** Places of slots that several sites have. */
function sharedPlaces(sites: readonly OperatorSite[]): Set<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { slots } of sites) {
    for (const place of new Set(slots.map(({ place }) => place))) {
      if (seen.has(place)) shared.add(place);
      seen.add(place);
    }
  }
  return shared;
}

/** How many times as large as allowed a change is. */
function excess(site: OperatorSite, { norm, relative }: ChangeSize, limit: ChangeLimit): number {
  const ratio = (size: number, most: number) => (size === 0 ? 0 : size / most);
  const absolute = limit.norm === undefined ? 0 : ratio(norm, limit.norm);
  if (limit.relative === undefined) return absolute;
  if (relative === undefined) {
    const reason = site.fold instanceof WeftError ? site.fold.diagnostics[0]!.message : "";
    throw new Error(`${site.path} can only be bounded by a norm, not relative to its weight: ${reason}`);
  }
  return Math.max(absolute, ratio(relative, limit.relative));
}

/** How near below the limit a bounded change comes. */
const nearness = 1e-3;

/** The largest factor that is found for the slots' distance from their start with which the change is within the limit. */
function largestFactor(site: OperatorSite, tokens: Float32Array, limit: ChangeLimit, stored: StoredValue): number {
  const movable = new Set(movableSlots(site));
  const excessAt = (factor: number): number => {
    const numbersOf: SlotNumbers = (address) => {
      const numbers = address.read(tokens);
      return movable.has(address) ? towardsStart(numbers, startOf(address) ?? 0, factor) : numbers;
    };
    return excess(site, changeSize(site, numbersOf, stored), limit);
  };
  if (excessAt(0) > 1) {
    throw new Error(`${site.path} is changed by more than the limit even when its slots are as they start`);
  }
  let [within, beyond] = [0, 1];
  // A change in proportion to its slots takes one step.
  let next = (1 - nearness / 2) / excessAt(1);
  for (let step = 0; step < 60; step++) {
    const found = excessAt(next);
    if (found > 1) beyond = next;
    else {
      within = next;
      if (found >= 1 - nearness) break;
    }
    if (beyond - within <= 1e-6 * beyond) break;
    next = (within + beyond) / 2;
  }
  return within;
}

const towardsStart = (numbers: Float32Array, start: number, factor: number): Float32Array =>
  numbers.map((number) => start + factor * (number - start));
