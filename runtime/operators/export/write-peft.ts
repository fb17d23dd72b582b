import { elementCount } from "../../../src/graph/shape.js";
import type { Tensor } from "../../tensors/tensor.js";
import type { Numbers, OperatorSite, StoredValue } from "../site-changes.js";
import { type OperatorSpace, requireTokens } from "../space.js";
import {
  baseOf,
  cornerOf,
  noBase,
  type PeftAdapter,
  type PeftNames,
  recogniseAll,
  scaled,
  tensorName,
} from "./adapter.js";
import { configOf, scaleSettings } from "./peft-settings.js";
import { oriented, type Recognised } from "./recognise.js";
import { requireNone } from "./slots.js";

/**
 * One operator as an adapter. `stored` is asked for weights where the form needs them. Throws an Error that says of every site that has no form of PEFT's
 * why, and for settings that PEFT has only once but sites need differently.
 */
export function peftAdapter(
  space: OperatorSpace,
  tokens: Float32Array,
  stored: StoredValue,
  names: PeftNames,
): PeftAdapter {
  requireTokens(space, tokens);
  const tensors = new Map<string, Tensor>();
  const problems: string[] = [];
  const modules = recogniseAll(space.sites()).map(({ site, found }) => {
    const name = names.module(site.path);
    const encoded = encode(site, found, tokens, stored);
    for (const [key, numbers] of Object.entries(encoded)) {
      const tensor: Tensor = { dtype: "f32", shape: numbers.shape, data: Float32Array.from(numbers.data) };
      const full = tensorName(found.form, name, key);
      const known = tensors.get(full);
      const joined = known ? joinedTensor(known, tensor) : tensor;
      if (joined) tensors.set(full, joined);
      else problems.push(`${site.path}: PEFT has one ${key} for all modules, and this one has another`);
    }
    const settings = { ...found.form.settings((key) => encoded[key]!), ...scaleSettings(site, found, encoded) };
    return { name, form: found.form, settings };
  });
  const config = configOf(modules, problems);
  requireNone(`${space.adaptation.path} cannot be written as one adapter of PEFT's`, problems);
  return {
    config: { base_model_name_or_path: names.baseModel ?? null, ...config },
    tensors,
  };
}

function encode(
  site: OperatorSite,
  { form, places, slots, stored: fixed, scale }: Recognised,
  tokens: Float32Array,
  stored: StoredValue,
): Record<string, Numbers> {
  const roles = (role: string): Numbers => {
    const player = slots.get(role);
    if (player) {
      const { slot, read } = site.slots.find((address) => address.slot.name === player.name)!;
      return oriented({ shape: slot.shape, data: Float64Array.from(read(tokens)) }, player.transposed);
    }
    const { name, transposed } = fixed.get(role)!;
    return oriented(storedNumbers(site, name, stored), transposed);
  };
  const encoded = form.encode(roles, form.needsWeight ? baseOf(places, stored) : noBase);
  if (form.scale.kind !== "tensor" || scale === 1) return encoded;
  const { key } = form.scale;
  return { ...encoded, [key]: scaled(encoded[key]!, scale) };
}

function storedNumbers(site: OperatorSite, name: string, stored: StoredValue): Numbers {
  const definition = site.group.sites[0]!.weights.get(name)!;
  const { shape, data } = stored(definition.path);
  return { shape, data: Float64Array.from(data) };
}

/** The larger of two matrices, if the other is its first rows and columns. */
function joinedTensor(a: Tensor, b: Tensor): Tensor | undefined {
  const [large, small] = elementCount(a.shape) >= elementCount(b.shape) ? [a, b] : [b, a];
  const corner = cornerOf(large, small.shape);
  return corner?.every((number, place) => Object.is(number, small.data[place])) ? large : undefined;
}
