/**
 * Adapters of PEFT (https://github.com/huggingface/peft): a folder with `adapter_config.json` and `adapter_model.safetensors`, whose tensors are called
 * `base_model.model.MODULE.KEY`.
 */
import { alikeGroups, type SiteGroup } from "../../../src/build/site-groups.js";
import { type Shape, sameShape } from "../../../src/graph/shape.js";
import type { Tensor } from "../../tensors/tensor.js";
import type { Numbers, OperatorSite, StoredValue } from "../site-changes.js";
import type { Base, PeftForm } from "./forms/form.js";
import { type Recognised, recognise } from "./recognise.js";
import { requireNone } from "./slots.js";

/** The two files of an adapter. */
export interface PeftAdapter {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export interface PeftNames {
  /** What the base model calls the module at a path. */
  readonly module: (path: string) => string;
  /** `base_model_name_or_path` of the configuration. */
  readonly baseModel?: string;
}

/** What a tensor of one module is called in the file. */
export const tensorName = ({ whole }: PeftForm, module: string, key: string): string =>
  whole[key] ?? `base_model.model.${module}.${key}`;

export interface RecognisedSite {
  readonly site: OperatorSite;
  readonly found: Recognised;
}

/** The form of every site. Throws an Error with the reasons, each said once. */
export function recogniseAll(sites: readonly OperatorSite[]): RecognisedSite[] {
  const known = new Map<SiteGroup, Recognised | string>();
  const firsts = new Map(
    alikeGroups(sites.map(({ group }) => group)).flatMap((alike) => alike.map((group) => [group, alike[0]] as const)),
  );
  const reasons = new Set<string>();
  const found = sites.flatMap((site): RecognisedSite[] => {
    const first = firsts.get(site.group)!;
    const result = known.get(first) ?? recognise(site);
    known.set(first, result);
    if (typeof result === "string") {
      reasons.add(result);
      return [];
    }
    // Sites alike differ in the paths of what they store.
    const places = "stored" in site.fold ? site.fold.stored : undefined;
    return places ? [{ site, found: { ...result, places } }] : [];
  });
  requireNone("PEFT has no form for this operator", [...reasons]);
  return found;
}

export const noBase: Base = { weight: { shape: [0, 0], data: new Float64Array() }, bias: new Float64Array() };

/** What a form is told of the module: no form's tensors depend on the bias. */
export function baseOf({ weight }: Recognised["places"], stored: StoredValue): Base {
  const { shape, data } = stored(weight);
  return { weight: { shape, data: Float64Array.from(data) }, bias: new Float64Array(shape[0]!) };
}

export const scaled = ({ shape, data }: Numbers, factor: number): Numbers => ({
  shape,
  data: data.map((number) => factor * number),
});

/** The first rows and columns of a tensor; undefined where it is too small. */
export function cornerOf({ shape, data }: Tensor, corner: Shape): Float32Array | undefined {
  if (sameShape(shape, corner)) return Float32Array.from(data);
  const [rows, columns] = corner;
  if (shape.length !== 2 || corner.length !== 2 || shape[0]! < rows! || shape[1]! < columns!) return undefined;
  return Float32Array.from(
    { length: rows! * columns! },
    (_, place) => data[Math.floor(place / columns!) * shape[1]! + (place % columns!)]!,
  );
}
