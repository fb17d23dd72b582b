/** Whether the modules of a list are equal, apart from what their stored tensors hold, and what in them corresponds. */
import { sameShape } from "../graph/shape.js";
import { tokensKey } from "./trace.js";
import {
  describeValue,
  type Instance,
  type ModuleValue,
  type Override,
  type Overrides,
  overridesOf,
  type Replacement,
  type Value,
  type WeightDefinition,
} from "./values.js";

/** What stands for the first module's parts in each of the modules, the first included, in the order of the list. */
export interface Correspondence {
  readonly instances: ReadonlyMap<Instance, readonly Instance[]>;
  readonly definitions: ReadonlyMap<WeightDefinition, readonly WeightDefinition[]>;
  /** What operators changed in any of the modules. */
  readonly overrides: Overrides;
}

/** The correspondence of modules that are equal, or why they are not: `experts.2.up.in_features is 4, experts.0.up.in_features 8`. */
export function correspondence(modules: readonly [ModuleValue, ...ModuleValue[]]): Correspondence | string {
  const [first, ...others] = modules;
  const pairings: Pairing[] = [];
  for (const other of others) {
    const pairing = new Pairing(first, other);
    const difference = pairing.modules();
    if (difference !== undefined) return difference;
    pairings.push(pairing);
  }
  const instances = new Map<Instance, Instance[]>();
  const definitions = new Map<WeightDefinition, WeightDefinition[]>();
  const overrides = new Map(first.overrides);
  for (const instance of partsOf(first.instance)) {
    const peers = [instance, ...pairings.map(({ peers }) => peers.get(instance)!)];
    instances.set(instance, peers);
    for (const definition of instance.weights.values()) {
      definitions.set(
        definition,
        peers.map(({ weights }) => weights.get(definition.name)!),
      );
    }
    for (const [place, peer] of peers.entries()) {
      const override = modules[place]!.overrides.get(peer);
      if (override) overrides.set(peer, override);
    }
  }
  return { instances, definitions, overrides: overridesOf(overrides, first.overrides.stage) };
}

/** A module and all modules in its fields and parameters, each once. */
function partsOf(root: Instance): Set<Instance> {
  const found = new Set<Instance>();
  const visit = (value: Value): void => {
    if (value.kind === "list" || value.kind === "tuple") value.items.forEach(visit);
    if (value.kind !== "module" || found.has(value.instance)) return;
    add(value.instance);
  };
  const add = (instance: Instance): void => {
    found.add(instance);
    for (const field of instance.fields.values()) visit(field);
    for (const parameter of instance.statics.values()) visit(parameter);
  };
  add(root);
  return found;
}

const pathOf = (instance: Instance): string => instance.path ?? instance.declaration.name.text;

/** Goes through two modules side by side. Every step gives the first difference that it finds. */
class Pairing {
  readonly peers = new Map<Instance, Instance>();

  constructor(
    readonly first: ModuleValue,
    readonly other: ModuleValue,
  ) {}

  modules(): string | undefined {
    const { first, other } = this;
    if (first.overrides.stage !== other.overrides.stage || first.level !== other.level) {
      return `${pathOf(other.instance)} and ${pathOf(first.instance)} are not seen alike`;
    }
    return this.instances(first.instance, other.instance);
  }

  instances(a: Instance, b: Instance): string | undefined {
    const known = this.peers.get(a);
    if (known !== undefined) {
      return known === b
        ? undefined
        : `${pathOf(a)} is in several places of the one, and ${pathOf(b)} is another module there`;
    }
    this.peers.set(a, b);
    if (a.declaration !== b.declaration) {
      const [kind, other] = [a.declaration.name.text, b.declaration.name.text];
      return `${pathOf(b)} is a ${other}, ${pathOf(a)} a ${kind}`;
    }
    return (
      this.#members(a, b, a.statics, b.statics) ??
      this.#members(a, b, a.fields, b.fields) ??
      weights(a, b) ??
      overrides(a, b, this.first.overrides.get(a), this.other.overrides.get(b))
    );
  }

  #members(
    a: Instance,
    b: Instance,
    left: ReadonlyMap<string, Value>,
    right: ReadonlyMap<string, Value>,
  ): string | undefined {
    for (const [name, value] of left) {
      const other = right.get(name);
      if (!other) return `${pathOf(b)} has no \`${name}\``;
      const difference = this.#values(`${pathOf(a)}.${name}`, `${pathOf(b)}.${name}`, value, other);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  #values(place: string, other: string, a: Value, b: Value): string | undefined {
    const differ = () => `${other} is ${describeValue(b)}, ${place} ${describeValue(a)}`;
    switch (a.kind) {
      case "int":
      case "float":
      case "bool":
      case "string":
        return b.kind === a.kind && b.value === a.value ? undefined : differ();
      case "none":
        return b.kind === "none" ? undefined : differ();
      case "list":
      case "tuple": {
        if (b.kind !== a.kind || b.items.length !== a.items.length) return differ();
        for (const [index, item] of a.items.entries()) {
          const difference = this.#values(`${place}.${index}`, `${other}.${index}`, item, b.items[index]!);
          if (difference !== undefined) return difference;
        }
        return undefined;
      }
      case "module":
        return b.kind === "module" ? this.instances(a.instance, b.instance) : differ();
      case "method":
        if (b.kind !== "method" || b.name !== a.name) return differ();
        return this.instances(a.receiver.instance, b.receiver.instance);
      case "declaration":
        return b.kind === "declaration" && b.declaration === a.declaration ? undefined : differ();
      case "builtin":
        return b.kind === "builtin" && b.name === a.name ? undefined : differ();
      case "initializer":
        // How stored tensors start does not matter once they are there.
        return b.kind === "initializer" ? undefined : differ();
      default:
        return a === b ? undefined : differ();
    }
  }
}

function weights(a: Instance, b: Instance): string | undefined {
  for (const [name, definition] of a.weights) {
    const other = b.weights.get(name);
    const equal =
      other !== undefined &&
      other.dtype === definition.dtype &&
      other.absent === definition.absent &&
      sameShape(other.shape, definition.shape);
    if (!equal) return `the stored tensors \`${name}\` of ${pathOf(b)} and ${pathOf(a)} differ`;
  }
  return undefined;
}

/** Operators may differ in the tensors that they put in the place of stored ones, not otherwise. */
function overrides(a: Instance, b: Instance, left?: Override, right?: Override): string | undefined {
  const [own, other] = [left?.replacements ?? [], right?.replacements ?? []];
  const names = [left, right].map((override) => [...(override?.weights.keys() ?? [])].sort().join(" "));
  const equal =
    own.length === other.length &&
    own.every((replacement, place) => sameReplacement(replacement, other[place]!)) &&
    names[0] === names[1];
  return equal ? undefined : `${pathOf(b)} and ${pathOf(a)} are changed by different operators`;
}

function sameReplacement(a: Replacement, b: Replacement): boolean {
  const givens = [...a.operator.givens].every(([name, value]) => b.operator.givens.get(name)?.id === value.id);
  return (
    a.site.application === b.site.application &&
    tokensKey(a.operator) === tokensKey(b.operator) &&
    a.operator.merged === b.operator.merged &&
    givens
  );
}
