/** Operators as their slots, each under the path of its module: a file of any interface. */

import type { Adaptation } from "../../../src/build/values.js";
import { elementCount, formatShape, sameShape } from "../../../src/graph/shape.js";
import type { Tensor } from "../../tensors/tensor.js";
import { type SlotAddress, slotAddresses } from "../slots.js";
import { type OperatorSpace, requireTokens } from "../space.js";

/** The slots of one operator by `SITE.SLOT`, or `SITE.INTERFACE.SLOT` where the adaptation has several interfaces. */
export function operatorSlots(space: OperatorSpace, tokens: Float32Array): Map<string, Tensor> {
  requireTokens(space, tokens);
  const { adaptation } = space;
  return new Map(
    slotAddresses(adaptation).map((address) => [
      nameOf(adaptation, address),
      { dtype: "f32", shape: address.slot.shape, data: address.read(tokens) },
    ]),
  );
}

/**
 * The tokens that hold given slots, with padding of zeros. Throws an Error that lists slots that are missing, left over, of other shapes, or different
 * where modules share one.
 */
export function tokensOfSlots(space: OperatorSpace, slots: ReadonlyMap<string, Tensor>): Float32Array {
  const { adaptation } = space;
  const addresses = slotAddresses(adaptation);
  const problems: string[] = [];
  const known = new Set(addresses.map((address) => nameOf(adaptation, address)));
  for (const name of slots.keys()) if (!known.has(name)) problems.push(`${name} is no slot of ${adaptation.path}`);
  const writer = new SlotWriter(space);
  for (const address of addresses) {
    const name = nameOf(adaptation, address);
    const found = slots.get(name);
    if (!found) problems.push(`${name} is missing`);
    else if (!sameShape(found.shape, address.slot.shape)) {
      problems.push(`${name} is ${formatShape(found.shape)}, and the model's is ${formatShape(address.slot.shape)}`);
    } else problems.push(...writer.write(address, found.data));
  }
  requireNone(`the slots do not fit ${adaptation.path}`, problems);
  return writer.tokens;
}

/** Fills tokens slot by slot; of slots that modules share, all must be given the same numbers. */
export class SlotWriter {
  readonly tokens: Float32Array;
  readonly #written = new Map<string, { readonly site: string; readonly numbers: Float32Array }>();

  constructor({ shape }: OperatorSpace) {
    this.tokens = new Float32Array(elementCount(shape));
  }

  /** What is wrong, if anything. */
  write(address: SlotAddress, given: ArrayLike<number>): string[] {
    const numbers = Float32Array.from(given);
    const site = address.site.instance.path ?? "";
    const earlier = this.#written.get(address.place);
    if (earlier && !earlier.numbers.every((number, place) => Object.is(number, numbers[place]))) {
      return [`${earlier.site} and ${site} share the slot ${address.slot.name}, but are given different ones`];
    }
    this.#written.set(address.place, { site, numbers });
    address.write(this.tokens, numbers);
    return [];
  }
}

/** Problems that a message lists. */
const shown = 12;

/** Throws an Error that lists problems, each once. */
export function requireNone(what: string, found: readonly string[]): void {
  if (found.length === 0) return;
  const problems = [...new Set(found)];
  const listed = problems.slice(0, shown).map((problem) => `  ${problem}`);
  const more = problems.length > shown ? [`  and ${problems.length - shown} more`] : [];
  throw new Error([`${what}:`, ...listed, ...more].join("\n"));
}

function nameOf({ applications }: Adaptation, { site, slot }: SlotAddress): string {
  const path = site.instance.path ?? "";
  return applications.length === 1 ? `${path}.${slot.name}` : `${path}.${site.application.name}.${slot.name}`;
}
