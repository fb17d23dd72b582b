/** The slots of an operator as numbers on the host: read from its tokens, and written into tokens. */

import { placeKey } from "../../src/build/operator.js";
import type { Adaptation, AdaptedSite, Place, SlotCut, SlotDefinition } from "../../src/build/values.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import { environmentOf } from "../reference/environment.js";
import { evaluate } from "../reference/interpreter.js";

/** One slot at one site, and where its numbers stand in the tokens. Sites that share a slot have the same place. */
export interface SlotAddress {
  readonly site: AdaptedSite;
  readonly slot: SlotDefinition;
  /** Equal for equal places only. */
  readonly place: string;
  /** The slot's numbers, row-major. */
  read(tokens: Float32Array): Float32Array;
  write(tokens: Float32Array, numbers: ArrayLike<number>): void;
}

/** Every slot of every site, in the order of the adaptation. */
export function slotAddresses(adaptation: Adaptation): SlotAddress[] {
  const maps = new Map<SlotCut, Uint32Array>();
  return adaptation.applications.flatMap((application) =>
    application.sites.flatMap((site) =>
      [...site.slots.values()].map((slot): SlotAddress => {
        const key = placeKey(application.name, slot.name, site.layer, site.leaf);
        const place = adaptation.placeOf.get(key)!;
        const known = maps.get(place.cut) ?? tokenPlaces(adaptation, place);
        maps.set(place.cut, known);
        return addressOf(adaptation, place, site, slot, known);
      }),
    ),
  );
}

function addressOf(
  adaptation: Adaptation,
  place: Place,
  site: AdaptedSite,
  slot: SlotDefinition,
  places: Uint32Array,
): SlotAddress {
  const { grid, joined } = adaptation;
  const count = elementCount(slot.shape);
  const perToken = grid.rows * grid.columns;
  // A layout cuts copies one by one, or all together.
  const skipped = joined ? 0 : site.copy * place.cut.count;
  const start = (place.layer * grid.tokens + place.start + skipped) * perToken;
  const first = joined ? site.copy * count : 0;
  return {
    site,
    slot,
    place: `${start} ${first} ${count}`,
    read: (tokens) => Float32Array.from({ length: count }, (_, index) => tokens[start + places[first + index]!]!),
    write(tokens, numbers) {
      if (numbers.length !== count) {
        throw new RangeError(`slot ${slot.name} has ${count} numbers, but ${numbers.length} were given`);
      }
      for (let index = 0; index < count; index++) tokens[start + places[first + index]!] = numbers[index]!;
    },
  };
}

/** For each number of what a layout cuts at once, its place among the numbers of the tokens. */
function tokenPlaces({ grid, joined }: Adaptation, { cut, copies, shape }: Place): Uint32Array {
  const builder = new GraphBuilder();
  const cutAtOnce: Shape = [cut.count, grid.rows, grid.columns];
  const input = builder.add("input", [], { name: "places", dtype: "f32", shape: cutAtOnce, perInstance: false });
  builder.output("places", cut.detokenize(builder, input));
  // Places are exact in float64.
  const numbered = Float64Array.from({ length: elementCount(cutAtOnce) }, (_, place) => place);
  const found = evaluate(builder.finish(), environmentOf({ inputs: new Map([["places", numbered]]) })).get("places")!;
  const expected = elementCount(shape) * (joined ? copies : 1);
  if (found.data.length !== expected)
    throw new Error(`a layout gives ${found.data.length} places for ${expected} numbers`);
  return Uint32Array.from(found.data);
}
