/** All slots of a token grid at once, outside of any adapted module: to export operators, to import them, and to test layouts. */
import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import type { Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import type { BuiltModel } from "./build.js";
import { tokenShape } from "./operator.js";
import type { Adaptation, Place } from "./values.js";

/** One slot of one site; several copies stand on a leading axis. */
export interface SlotTensor {
  /** `SITE.SLOT`, e.g. `backbone.blocks.0.attn.q.A`; with several interfaces at a site `SITE.INTERFACE.SLOT`. With copies, of the first. */
  readonly name: string;
  /** The slot's shape, with a leading axis of copies where there are several. */
  readonly shape: Shape;
  readonly value: ValueId;
}

export function adaptationAt(model: BuiltModel, path: string): Adaptation {
  const found = model.context.adaptations.find((adaptation) => adaptation.path === path);
  if (!found) throw new Error(`${model.name} has no adaptation ${path}`);
  return found;
}

/** Cuts tokens [layers, tokens, rows, columns] into the slots of all sites. */
export function slotsOf(builder: GraphBuilder, adaptation: Adaptation, tokens: ValueId): SlotTensor[] {
  return adaptation.places.map((place, index) => {
    const layer = operations.sliceAxis(builder, tokens, 0, place.layer, place.layer + 1);
    const ofLayer = operations.reshape(builder, layer, tokenShape(adaptation).slice(1));
    const own = operations.sliceAxis(builder, ofLayer, 0, place.start, place.start + place.count);
    const shape = slotShape(place);
    const each = place.count / (adaptation.joined ? 1 : place.copies);
    const copies = adaptation.joined
      ? [place.cut.detokenize(builder, own)]
      : Array.from({ length: place.copies }, (_, copy) => {
          const part = operations.sliceAxis(builder, own, 0, copy * each, (copy + 1) * each);
          return operations.reshape(builder, place.cut.detokenize(builder, part), [1, ...place.shape]);
        });
    const value = operations.reshape(builder, operations.concat(builder, copies, 0), shape);
    return { name: slotName(adaptation, index), shape, value };
  });
}

const slotShape = (place: Place): Shape => (place.copies === 1 ? place.shape : [place.copies, ...place.shape]);

function slotName(adaptation: Adaptation, index: number): string {
  const { site, slot, interface: owner } = adaptation.grid.places[index]!;
  return adaptation.applications.length === 1 ? `${site}.${slot}` : `${site}.${owner}.${slot}`;
}

/** A graph from the input `tokens` to every slot, by name. */
export function detokenizeGraph(model: BuiltModel, path: string): Graph {
  const adaptation = adaptationAt(model, path);
  const builder = new GraphBuilder();
  const shape = tokenShape(adaptation);
  const tokens = builder.add("input", [], { name: "tokens", dtype: "f32", shape, perInstance: true });
  for (const { name, value } of slotsOf(builder, adaptation, tokens)) builder.output(name, value);
  return builder.finish();
}

/** A graph from every slot, as inputs by name, to the output `tokens`; padding is zero. */
export function tokenizeGraph(model: BuiltModel, path: string): Graph {
  const adaptation = adaptationAt(model, path);
  const { grid, joined } = adaptation;
  const builder = new GraphBuilder();
  const layers = Array.from({ length: grid.layers }, (): { start: number; value: ValueId; count: number }[] => []);
  adaptation.places.forEach((place, index) => {
    const name = slotName(adaptation, index);
    const shape = slotShape(place);
    const slot = builder.add("input", [], { name, dtype: "f32", shape, perInstance: true });
    const stacked = operations.reshape(builder, slot, [place.copies, ...place.shape]);
    const parts = joined
      ? [place.cut.tokenize(builder, stacked)]
      : Array.from({ length: place.copies }, (_, copy) => {
          const one = operations.sliceAxis(builder, stacked, 0, copy, copy + 1);
          return place.cut.tokenize(builder, operations.reshape(builder, one, place.shape));
        });
    const value = operations.concat(builder, parts, 0);
    layers[place.layer]!.push({ start: place.start, value, count: place.count });
  });
  const rows = layers.map((pieces) => {
    const padded: ValueId[] = [];
    let next = 0;
    const fill = (start: number) => {
      const shape = [start - next, grid.rows, grid.columns];
      if (start > next) padded.push(operations.constant(builder, 0, shape));
    };
    for (const { start, value, count } of [...pieces].sort((a, b) => a.start - b.start)) {
      fill(start);
      padded.push(value);
      next = start + count;
    }
    fill(grid.tokens);
    const layer = operations.concat(builder, padded, 0);
    return operations.reshape(builder, layer, [1, ...builder.shape(layer)]);
  });
  builder.output("tokens", operations.concat(builder, rows, 0));
  return builder.finish();
}
