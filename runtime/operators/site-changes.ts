/** What an operator does to each module that it adapts, as numbers. */
import type { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import type { BuiltModel } from "../../src/build/build.js";
import { foldSites, type SiteFold } from "../../src/build/site-fold.js";
import { type SiteGroup, siteGroups } from "../../src/build/site-groups.js";
import type { Adaptation } from "../../src/build/values.js";
import type { Shape } from "../../src/graph/shape.js";
import { environmentOf } from "../reference/environment.js";
import { evaluate } from "../reference/interpreter.js";
import type { Tensor } from "../tensors/tensor.js";
import { type SlotAddress, slotAddresses } from "./slots.js";

/** A stored tensor of the model by its path. */
export type StoredValue = (path: string) => Tensor;

/** A matrix or a tensor of which one axis counts outputs, in float64. */
export interface Numbers {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** What a module multiplies by and adds, before and after. */
export interface FoldedNumbers {
  readonly weight: Numbers;
  readonly baseWeight: Numbers;
  /** The difference of the two. */
  readonly change: Numbers;
  /** Absent where neither the module nor the operator adds anything. */
  readonly bias?: Numbers;
  readonly baseBias?: Numbers;
}

/** An adapted module, with its slots. */
export interface OperatorSite {
  readonly group: SiteGroup;
  readonly path: string;
  /** Names of the interfaces that are applied here, in order. */
  readonly interfaces: readonly string[];
  readonly slots: readonly SlotAddress[];
  /** How the operator folds into the module's weight, or why it does not. */
  readonly fold: SiteFold | WeftError;
}

/** The sites of an adaptation, each with a proof that its interfaces fold into a weight or with what is in the way. */
export function operatorSites(model: BuiltModel, adaptation: Adaptation): OperatorSite[] {
  const addresses = new Map<SiteGroup["instance"], SlotAddress[]>();
  for (const address of slotAddresses(adaptation)) {
    const known = addresses.get(address.site.instance);
    if (known) known.push(address);
    else addresses.set(address.site.instance, [address]);
  }
  const groups = siteGroups(adaptation);
  const folds = foldSites(model, adaptation, groups);
  return groups.map((group) => ({
    group,
    path: group.path,
    interfaces: group.sites.map(({ application }) => application.name),
    slots: addresses.get(group.instance) ?? [],
    fold: folds.get(group)!,
  }));
}

/** The numbers of a slot. */
export type SlotNumbers = (address: SlotAddress) => Float32Array;

/** Evaluates a site's fold in float64. */
export function foldedNumbers(
  { slots }: OperatorSite,
  { graph, inputs }: SiteFold,
  numbersOf: SlotNumbers,
  stored: StoredValue,
): FoldedNumbers {
  const values = new Map(
    inputs.map(({ name, site, slot }) => {
      const address = slots.find((candidate) => candidate.site === site && candidate.slot.name === slot)!;
      return [name, Float64Array.from(numbersOf(address))];
    }),
  );
  const read = new Map(
    graph.nodes.flatMap((node) =>
      node.primitive === "parameter"
        ? [[node.attributes.path, Float64Array.from(stored(node.attributes.path).data)] as const]
        : [],
    ),
  );
  const results = evaluate(graph, environmentOf({ inputs: values, stored: read }));
  const numbers = (name: string): Numbers | undefined => {
    const found = results.get(name);
    return found && { shape: found.type.shape, data: found.data };
  };
  const [bias, baseBias] = [numbers("bias"), numbers("base.bias")];
  return {
    weight: numbers("weight")!,
    baseWeight: numbers("base.weight")!,
    change: numbers("change")!,
    ...(bias ? { bias } : {}),
    ...(baseBias ? { baseBias } : {}),
  };
}
