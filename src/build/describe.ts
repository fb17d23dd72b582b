/** What `weft check` shows of a model: its modules with their parameters, token grids, entry points and training plan. Plain data. */
import { elementCount, formatShape } from "../graph/shape.js";
import type { BuiltModel } from "./build.js";
import type {
  CollectingStage,
  EntryPoint,
  EvaluationSpec,
  InputSpec,
  OutputSpec,
  SamplingSpec,
  Setting,
  SlotPlace,
  TrainingStage,
} from "./model.js";
import { formatTensor, holdsModule, type Instance, type Value } from "./values.js";

export interface ModelDescription {
  readonly name: string;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly modules: readonly ModuleDescription[];
  /** Numbers in all stored tensors of the model, adaptations' own included. */
  readonly parameters: number;
  readonly frozen: number;
  readonly adaptations: readonly AdaptationDescription[];
  readonly entryPoints: readonly EntryPointDescription[];
  readonly stages: readonly TrainingStage[];
  readonly collections: readonly CollectingStage[];
  readonly evaluations: readonly EvaluationSpec[];
  readonly samplings: readonly SamplingSpec[];
}

/** A module instance, or a list of them. Numbers include everything below. */
export interface ModuleDescription {
  readonly path: string;
  /** The module's name; for a list `32 x Block`. */
  readonly kind: string;
  /** 0 for the model's own fields. */
  readonly depth: number;
  readonly tensors: number;
  readonly parameters: number;
  readonly frozen: number;
}

export interface AdaptationDescription {
  readonly path: string;
  readonly layout: string;
  readonly layers: number;
  readonly tokens: number;
  readonly rows: number;
  readonly columns: number;
  /** Numbers in all slots, and numbers in all tokens: the difference is padding. */
  readonly numbers: number;
  readonly capacity: number;
  readonly kinds: readonly {
    readonly name: string;
    readonly start: number;
    readonly count: number;
    readonly starts: string;
  }[];
  /** One layer's slots in the order of their tokens: the layer with most of them. */
  readonly places: readonly PlaceDescription[];
}

export interface PlaceDescription {
  readonly site: string;
  readonly slot: string;
  readonly copies: number;
  /** Modules that share one copy. */
  readonly modules: number;
  /** Of one copy. */
  readonly shape: string;
  readonly start: number;
  readonly count: number;
}

export interface EntryPointDescription {
  readonly name: string;
  /** `(source: [3, 32, 32], instruction: int[..24]) -> [4, 72, 4, 32]` */
  readonly signature: string;
  readonly nodes: number;
}

/** Describes a model down to `depth` levels of modules. Entry points are traced; WeftError when one of them is wrong. */
export function describeModel(model: BuiltModel, depth = 2): ModelDescription {
  const totals = countWeights(model);
  const sum = (path: string): Counts => totals.get(path) ?? nothing;
  return {
    name: model.name,
    settings: model.settings,
    modules: [...modulesBelow(model.instance, depth, sum), ...copiesOf(model, depth, sum)],
    parameters: sum("").parameters,
    frozen: sum("").frozen,
    adaptations: model.adaptations.map(({ path, layout, grid }) => ({
      path,
      layout,
      layers: grid.layers,
      tokens: grid.tokens,
      rows: grid.rows,
      columns: grid.columns,
      numbers: grid.numbers,
      capacity: grid.layers * grid.tokens * grid.rows * grid.columns,
      kinds: grid.kinds.map(({ interface: owner, slot, start, count, initializer }) => ({
        name: `${owner}.${slot}`,
        start,
        count,
        starts: describeStart(initializer),
      })),
      places: fullestLayer(grid.places).map(describePlace),
    })),
    entryPoints: model.entryPoints.map((name) => describeEntryPoint(model.entryPoint(name))),
    stages: model.stages,
    collections: model.collections,
    evaluations: model.evaluations,
    samplings: model.samplings,
  };
}

// --------------------------------------------------------------------------------------------------------------- modules

interface Counts {
  readonly tensors: number;
  readonly parameters: number;
  readonly frozen: number;
}

const nothing: Counts = { tensors: 0, parameters: 0, frozen: 0 };

/** Counts of everything at or below each path, "" being the whole model. */
function countWeights(model: BuiltModel): Map<string, Counts> {
  const totals = new Map<string, Counts>();
  for (const { path, shape, storage } of model.parameters) {
    const count = elementCount(shape);
    const parts = path.split(".");
    for (let length = 0; length <= parts.length; length++) {
      const above = parts.slice(0, length).join(".");
      const known = totals.get(above) ?? nothing;
      totals.set(above, {
        tensors: known.tensors + 1,
        parameters: known.parameters + (storage === "param" ? count : 0),
        frozen: known.frozen + (storage === "frozen" ? count : 0),
      });
    }
  }
  return totals;
}

function modulesBelow(instance: Instance, depth: number, sum: (path: string) => Counts): ModuleDescription[] {
  const found: ModuleDescription[] = [];
  const visit = (value: Value, path: string, level: number): void => {
    if (level >= depth || !holdsModule(value)) return;
    if (value.kind === "module") {
      // An instance that two fields share is shown where it has its path.
      if (value.instance.path !== path) return;
      found.push({ path, kind: value.instance.declaration.name.text, depth: level, ...sum(path) });
      for (const [name, field] of value.instance.fields) visit(field, `${path}.${name}`, level + 1);
    } else if (value.kind === "list" || value.kind === "tuple") {
      const kinds = value.items.map((item) => (item.kind === "module" ? item.instance.declaration.name.text : "list"));
      const [first] = kinds;
      const kind = kinds.every((other) => other === first) ? first : "module";
      found.push({ path, kind: `${kinds.length} x ${kind}`, depth: level, ...sum(path) });
      for (const [place, item] of value.items.entries()) visit(item, `${path}.${place}`, level + 1);
    }
  };
  for (const [name, field] of instance.fields) visit(field, name, 0);
  return found;
}

/** Copies of stored tensors, all of one stage together. */
function copiesOf({ parameters }: BuiltModel, depth: number, sum: (path: string) => Counts): ModuleDescription[] {
  const stages = depth === 0 ? [] : new Set(parameters.flatMap(({ copy }) => copy?.stage ?? []));
  return [...stages].map((stage) => ({
    path: `@${stage}`,
    kind: `as ${stage} left it`,
    depth: 0,
    ...sum(`@${stage}`),
  }));
}

// ----------------------------------------------------------------------------------------------------------------- grids

function describeStart(initializer: {
  readonly kind: string;
  readonly value?: unknown;
  readonly std?: unknown;
}): string {
  if (initializer.kind === "constant") return `constant(${initializer.value})`;
  return initializer.kind === "normal" ? `normal(${initializer.std})` : `${initializer.kind}()`;
}

function fullestLayer(places: readonly SlotPlace[]): readonly SlotPlace[] {
  const tokens = new Map<number, number>();
  for (const { layer, count } of places) tokens.set(layer, (tokens.get(layer) ?? 0) + count);
  const largest = Math.max(0, ...tokens.values());
  return places.filter(({ layer }) => layer === [...tokens].find(([, count]) => count === largest)?.[0]);
}

const describePlace = (place: SlotPlace): PlaceDescription => ({
  site: place.site,
  slot: `${place.interface}.${place.slot}`,
  copies: place.copies.length,
  modules: place.copies[0]!.length,
  shape: formatShape(place.shape),
  start: place.start,
  count: place.count,
});

// ---------------------------------------------------------------------------------------------------------- entry points

function describeEntryPoint({ name, inputs, outputs, graph }: EntryPoint): EntryPointDescription {
  const masks = new Set(inputs.flatMap(({ mask }) => mask ?? []));
  const given = inputs.filter((input) => !masks.has(input.name)).map(describeInput);
  return { name, signature: `(${given.join(", ")}) -> ${describeOutputs(outputs)}`, nodes: graph.nodes.length };
}

function describeInput({ name, dtype, shape, mask, perInstance }: InputSpec): string {
  const type = mask ? `int[..${shape[0]}]` : formatTensor({ dtype, shape });
  return `${perInstance ? "" : "shared "}${name}: ${type}`;
}

function describeOutputs(outputs: readonly OutputSpec[]): string {
  const types = outputs.map(formatTensor);
  return types.length === 1 ? types[0]! : `(${types.join(", ")})`;
}
