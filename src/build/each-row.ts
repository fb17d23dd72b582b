/**
 * What is traced for one row, as what is computed for all rows at once. While a module chosen by an index runs, stand-ins take the place of a row's
 * share of a tensor, and of the share that one of the modules has of a stack of all. Afterwards every node that depends on them is
 * added again: for all rows, for all modules where no row matters, and as a product by group where the two meet.
 */
import type { GraphBuilder } from "../graph/builder.js";
import type { Node, Origin, ValueId } from "../graph/node.js";
import type { Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { primitiveOf } from "../primitives/registry.js";
import type { Trace } from "./trace.js";
import type { Instance, WeightDefinition } from "./values.js";

/** One call of modules chosen by an index. */
export class RowScope {
  /** Stand-ins for a row of a tensor [rows, ...], and that tensor. */
  readonly ofRow = new Map<ValueId, ValueId>();
  /** Stand-ins for one module's share of a tensor [modules, ...], and that tensor. */
  readonly ofModule = new Map<ValueId, ValueId>();
  /** Stand-ins that were made, by what they stand for. */
  readonly known = new Map<unknown, ValueId>();

  constructor(
    readonly trace: Trace,
    readonly modules: number,
    readonly rows: number,
    /** i32 [rows]: the module of each row. */
    readonly index: ValueId,
    /** What the parts of the first module are in each of them. */
    readonly instances: ReadonlyMap<Instance, readonly Instance[]>,
    readonly definitions: ReadonlyMap<WeightDefinition, readonly WeightDefinition[]>,
  ) {}

  /** A row of `whole` [rows, ...]. */
  row(whole: ValueId): ValueId {
    return this.#standIn(this.ofRow, whole);
  }

  /** The share of the module at hand in `whole` [modules, ...]. */
  share(whole: ValueId): ValueId {
    return this.#standIn(this.ofModule, whole);
  }

  #standIn(kind: Map<ValueId, ValueId>, whole: ValueId): ValueId {
    const { builder } = this.trace;
    const { dtype, shape } = builder.type(whole);
    const name = `stand-in ${this.trace.nextStandIn()}`;
    const value = builder.add("input", [], { name, dtype, shape: shape.slice(1), perInstance: false });
    kind.set(value, whole);
    return value;
  }
}

/** What a traced value depends on: nothing of the scope, the module at hand, or the row. */
type Varies = 0 | 1 | 2;
const notAtAll = 0;
const byModule = 1;
const byRow = 2;

/** A primitive that looks at all instances of a batch cannot be asked for a row. */
export class SeesBatch extends Error {
  constructor(readonly node: Node) {
    super("a row has no batch");
  }
}

/**
 * Results that were traced for one row, for all rows: [rows, ...]. `first` is the number of nodes that were there before the call, and `origin` says
 * where a node comes from, since the first module's path stands for all. Throws SeesBatch.
 */
export function forAllRows(
  scope: RowScope,
  results: readonly ValueId[],
  first: number,
  origin: (origin: Origin | undefined) => Origin | undefined,
): ValueId[] {
  const replay = replayed(scope, results, first, origin);
  for (const [value, span] of [...scope.trace.derivatives]) {
    const whole = replay.values.get(value);
    if (whole !== undefined) scope.trace.derivatives.set(whole, span);
  }
  return results.map((result) => replay.ofRows(result));
}

/** What `body` makes of one module's share of `whole` [modules, ...], for all modules: [modules, ...]. */
export function forAllModules(trace: Trace, whole: ValueId, body: (share: ValueId) => ValueId): ValueId {
  const { builder } = trace;
  const scope = new RowScope(trace, builder.shape(whole)[0]!, 0, noIndex, new Map(), new Map());
  const share = scope.share(whole);
  const first = builder.nodes.length;
  const result = body(share);
  return replayed(scope, [result], first, (origin) => origin).values.get(result)!;
}

const noIndex = -1;

function replayed(
  scope: RowScope,
  results: readonly ValueId[],
  first: number,
  origin: (origin: Origin | undefined) => Origin | undefined,
): Replay {
  const { builder } = scope.trace;
  const varies = variations(scope, first);
  const replay = new Replay(builder, scope, varies);
  const outer = builder.origin;
  for (const node of neededNodes(builder, varies, results, first)) {
    builder.origin = origin(node.origin);
    replay.node(node);
  }
  builder.origin = outer;
  return replay;
}

function variations({ trace: { builder }, ofRow, ofModule }: RowScope, first: number): Varies[] {
  const varies = new Array<Varies>(builder.types.length).fill(notAtAll);
  for (const value of ofModule.keys()) varies[value] = byModule;
  for (const value of ofRow.keys()) varies[value] = byRow;
  for (const node of builder.nodes.slice(first)) {
    const most = node.inputs.reduce((most: Varies, input) => (varies[input]! > most ? varies[input]! : most), notAtAll);
    if (node.inputs.length > 0) for (const output of node.outputs) varies[output] = most;
  }
  return varies;
}

/** Nodes that results need and that vary, without the stand-ins, in order. */
function neededNodes(
  builder: GraphBuilder,
  varies: readonly Varies[],
  results: readonly ValueId[],
  first: number,
): Node[] {
  const needed = new Set(results);
  const nodes: Node[] = [];
  for (const node of builder.nodes.slice(first).reverse()) {
    const counts = node.outputs.some((output) => needed.has(output) && varies[output] !== notAtAll);
    if (!counts || node.inputs.length === 0) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  return nodes.reverse();
}

class Replay {
  /** What stands for a traced value: [rows, ...] or [modules, ...]. */
  readonly values: Map<ValueId, ValueId>;
  readonly #byRow = new Map<ValueId, ValueId>();

  constructor(
    readonly builder: GraphBuilder,
    readonly scope: RowScope,
    readonly varies: readonly Varies[],
  ) {
    this.values = new Map([...scope.ofRow, ...scope.ofModule]);
  }

  node(node: Node): void {
    if (node.primitive === "gather_instances") throw new SeesBatch(node);
    const ofRows = node.outputs.some((output) => this.varies[output] === byRow);
    const outputs = (ofRows ? this.#product(node) : undefined) ?? this.#batched(node, ofRows);
    node.outputs.forEach((output, place) => {
      this.values.set(output, outputs[place]!);
    });
  }

  /** A value for all rows, also one that is the same for all, or for all rows of a module. */
  ofRows(value: ValueId): ValueId {
    switch (this.varies[value]!) {
      case notAtAll:
        return operations.broadcastLeading(this.builder, value, this.scope.rows);
      case byModule: {
        const known = this.#byRow.get(value);
        if (known !== undefined) return known;
        const gathered = operations.gather(this.builder, this.values.get(value)!, this.scope.index);
        this.#byRow.set(value, gathered);
        return gathered;
      }
      case byRow:
        return this.values.get(value)!;
    }
  }

  #batched(node: Node, ofRows: boolean): readonly ValueId[] {
    const batched = node.inputs.map((input) => this.varies[input] !== notAtAll);
    const inputs = node.inputs.map((input, place) =>
      batched[place] ? (ofRows ? this.ofRows(input) : this.values.get(input)!) : input,
    );
    const size = ofRows ? this.scope.rows : this.scope.modules;
    return primitiveOf(node.primitive).batch(this.builder, node.attributes as never, inputs, batched, size);
  }

  /** What reads a module's tensors by row without copying them for every row. */
  #product(node: Node): readonly ValueId[] | undefined {
    const [x, y] = node.inputs;
    const [left, right] = [x, y].map((input) => (input === undefined ? undefined : this.varies[input]));
    if (node.primitive === "contraction") {
      const { lhs, rhs, out } = node.attributes;
      if (left === byRow && right === byModule) return [this.#grouped(x!, y!, lhs, rhs, out)];
      if (left === byModule && right === byRow) return [this.#grouped(y!, x!, rhs, lhs, out)];
    }
    const ofTable = node.primitive === "gather" && node.attributes.batch === 0;
    if (ofTable && left === byModule && right === byRow) return [this.#gathered(x!, y!)];
    return undefined;
  }

  #grouped(
    rows: ValueId,
    weights: ValueId,
    lhs: readonly number[],
    rhs: readonly number[],
    out: readonly number[],
  ): ValueId {
    const inputs = [this.values.get(rows)!, this.values.get(weights)!, this.scope.index];
    return this.builder.add("grouped_contraction", inputs, { lhs, rhs, out, groups: 1 });
  }

  /** Rows of the tables of all modules, which are one table. */
  #gathered(table: ValueId, indices: ValueId): ValueId {
    const { builder } = this;
    const [modules, size, ...rest] = builder.shape(this.values.get(table)!) as [number, number, ...number[]];
    const whole = operations.reshape(builder, this.values.get(table)!, [modules * size, ...rest]);
    const wanted = this.values.get(indices)!;
    const clamp = (value: ValueId, count: number) => {
      const number = (value: number, like: ValueId) => operations.constantLike(builder, value, like);
      const least = operations.maximum(builder, value, number(0, value));
      return operations.minimum(builder, least, number(count - 1, value));
    };
    const module = operations.scale(builder, clamp(this.scope.index, modules), size);
    const column: Shape = builder.shape(wanted).map((extent, axis) => (axis === 0 ? extent : 1));
    const place = operations.add(builder, operations.reshape(builder, module, column), clamp(wanted, size));
    return operations.gather(builder, whole, place);
  }
}
