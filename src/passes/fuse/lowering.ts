/**
 * Turns clusters into records, last kernel first, so that a kernel is made when all that read from it are known. What a kernel needs in
 * memory and nobody stores yet gets a kernel of its own on the way.
 */
import type { ValueId } from "../../graph/node.js";
import { elementCount } from "../../graph/shape.js";
import { readsOf } from "../../kernels/access.js";
import type { BufferId, KernelRecord } from "../../kernels/record.js";
import type { Target } from "../../target.js";
import type { Cluster, Clustering } from "./cluster.js";
import { elementsOf, type Facts, shapeOfValue, typeOf } from "./facts.js";
import { bindingCount } from "./finish.js";
import { compareOrder } from "./forming.js";
import { type CopyRequest, leafHome, type Placement, stridesForProduct } from "./placement.js";
import type { Dimension, Dimensions, Layout } from "./space.js";
import { stretchHome } from "./stacks.js";
import { contiguousStorage, type Storage, throughView } from "./strides.js";

export class LoweringContext {
  readonly facts: Facts;
  readonly dimensions: Dimensions;
  readonly target: Target;
  readonly #clustering: Clustering;
  readonly #placement: Placement;
  readonly #stored: Set<ValueId>;
  readonly #storage = new Map<ValueId, Storage>();
  /** Row-major copies of values that are stored otherwise. */
  readonly #copies = new Map<ValueId, Storage>();
  readonly #owners = new Map<ValueId, Cluster>();
  readonly #layouts = new Map<ValueId, Layout>();
  readonly #demanded = new Set<ValueId>();
  readonly #readLater = new Set<BufferId>();
  /** Clusters still to be lowered, in order. */
  readonly #pending: Cluster[];

  constructor(
    facts: Facts,
    dimensions: Dimensions,
    target: Target,
    clustering: Clustering,
    placement: Placement,
    stored: ReadonlySet<ValueId>,
  ) {
    this.facts = facts;
    this.dimensions = dimensions;
    this.target = target;
    this.#clustering = clustering;
    this.#placement = placement;
    this.#stored = new Set(stored);
    this.#pending = [...clustering.clusters].sort(compareOrder);
  }

  /** The last cluster that is not lowered yet. */
  next(): Cluster | undefined {
    return this.#pending.pop();
  }

  owner(value: ValueId): Cluster | undefined {
    return this.#owners.get(value) ?? this.#clustering.owner(value);
  }

  layout(value: ValueId): Layout | undefined {
    return this.#layouts.get(value) ?? this.#clustering.layout(value);
  }

  canSplit(dimension: Dimension): boolean {
    return this.dimensions.canSplit(dimension);
  }

  /** Where a value stands, if another kernel than `cluster` (or the outside) leaves it in memory before. */
  #loadable(value: ValueId, cluster: Cluster): boolean {
    if (this.facts.roles[value] === "leaf") return true;
    const owner = this.owner(value);
    if (owner === cluster) return false;
    if (this.#isRoot(value, owner)) return true;
    if (!this.#stored.has(value)) return false;
    if (!owner) this.#materialise(value);
    return compareOrder(this.owner(value)!, cluster) < 0;
  }

  /** Values that cannot be evaluated anywhere but in their kernel. */
  #isRoot(value: ValueId, owner: Cluster | undefined): boolean {
    switch (this.facts.roles[value]!) {
      case "reduction":
      case "contraction":
      case "attention":
      case "indexed":
      case "assembly":
        return true;
      case "leaf":
      case "generated":
      case "view":
      case "elementwise":
      case "gather":
        return owner?.root.kind === "contraction" && owner.root.accumulator === value;
    }
  }

  /** Storage as it is or will be; without a buffer (-1) as long as nobody needs it. */
  #peek(value: ValueId): Storage {
    const { dtype, shape } = typeOf(this.facts, value);
    const node = this.facts.producers[value]!;
    switch (node.primitive) {
      case "input":
      case "parameter":
      case "range":
      case "scalar":
      case "table":
      case "instance_index":
        return contiguousStorage(this.#placement.buffers.leaf(dtype, elementCount(shape), leafHome(node)), shape);
      case "concat": {
        const stretch = this.facts.stacks.get(value);
        if (!stretch) break;
        const buffer = this.#placement.buffers.leaf(dtype, stretch.elements, stretchHome("parameters", stretch));
        return { buffer, offset: 0, strides: contiguousStorage(buffer, shape).strides.with(0, stretch.distance) };
      }
      default:
    }
    return this.#placement.storage.get(value) ?? this.#storage.get(value) ?? this.#freshStorage(value, -1);
  }

  /** Storage of a value that is needed in memory: from now on its kernel writes it. */
  storageOf(value: ValueId): Storage {
    const known = this.#peek(value);
    if (this.facts.roles[value] === "leaf") return known;
    this.#stored.add(value);
    this.#demanded.add(value);
    if (known.buffer >= 0) return known;
    const { dtype, shape } = typeOf(this.facts, value);
    const buffer = this.#placement.buffers.add(dtype, elementCount(shape), { segment: "scratch" });
    const storage = this.#freshStorage(value, buffer);
    this.#storage.set(value, storage);
    return storage;
  }

  #freshStorage(value: ValueId, buffer: number): Storage {
    const strides = stridesForProduct(this.facts, value);
    return strides ? { buffer, offset: 0, strides } : contiguousStorage(buffer, shapeOfValue(this.facts, value));
  }

  /** Strides that show a value in memory that is there before `cluster` runs, through views; undefined where there are none. */
  viewOf(value: ValueId, cluster: Cluster): Storage | undefined {
    const chain: ValueId[] = [];
    let at = value;
    while (!this.#loadable(at, cluster)) {
      if (this.facts.roles[at] !== "view" || this.owner(at) === cluster) return undefined;
      chain.push(at);
      at = this.facts.producers[at]!.inputs[0]!;
    }
    const see = (base: Storage): Storage | undefined => {
      let storage: Storage | undefined = base;
      let below = at;
      for (const view of chain.toReversed()) {
        const node = this.facts.producers[view]!;
        storage = throughView(node, storage, shapeOfValue(this.facts, below), shapeOfValue(this.facts, view));
        if (!storage) return undefined;
        below = view;
      }
      return storage;
    };
    // Only what can be seen is asked for.
    return see(this.#peek(at)) && see(this.storageOf(at));
  }

  /** As `viewOf`; a value that no strides show is stored first. */
  viewOrStore(value: ValueId, cluster: Cluster): Storage {
    const seen = this.viewOf(value, cluster);
    if (seen) return seen;
    this.store(value, cluster);
    return this.viewOf(value, cluster)!;
  }

  /** From now on a value is stored, for kernels from `cluster` on. */
  store(value: ValueId, cluster: Cluster): void {
    const owner = this.owner(value);
    if (owner === cluster && owner.root.kind !== "elementwise") throw new Error("a kernel cannot load its own result");
    this.#stored.add(value);
    if (!owner || owner === cluster || compareOrder(owner, cluster) > 0) this.#materialise(value);
  }

  /** Storage that shows `value`, a reshape of `input` that strides do not say, row-major. */
  storeForReshape(input: ValueId, value: ValueId, cluster: Cluster): Storage {
    if (this.owner(value) === cluster && this.owner(input) === cluster) {
      throw new Error("a kernel's own result does not come in the shape it is asked for");
    }
    if (!this.#loadable(input, cluster)) this.store(input, cluster);
    const seen = this.viewOf(value, cluster);
    if (seen) return seen;
    let copy = this.#copies.get(input);
    if (!copy) {
      const { dtype, shape } = typeOf(this.facts, input);
      const buffer = this.#placement.buffers.add(dtype, elementCount(shape), { segment: "scratch" });
      const storage = contiguousStorage(buffer, shape);
      this.#createCopy({ value: input, storage, like: input }, [input], 0.5);
      copy = storage;
      this.#copies.set(input, copy);
    }
    return contiguousStorage(copy.buffer, shapeOfValue(this.facts, value));
  }

  /** Gives a value an elementwise kernel of its own, as early as what it reads allows. */
  #materialise(value: ValueId): void {
    const shape = shapeOfValue(this.facts, value);
    const layout = this.dimensions.layoutOf(shape);
    const node = this.facts.producers[value]!;
    const cluster = this.#create(shape, layout, node.inputs, this.facts.places[value]!);
    cluster.members.push(value);
    this.#owners.set(value, cluster);
    this.#layouts.set(value, layout);
  }

  /** Takes a value out of the kernel that computes it into one of its own, right behind. */
  evict(value: ValueId): void {
    this.#stored.add(value);
    this.#materialise(value);
  }

  /** Takes the last copy out of a kernel. */
  evictCopy(cluster: Cluster): void {
    const { request } = cluster.copies.pop()!;
    this.#createCopy(request, request.value === undefined ? [] : [request.value], 0.25);
  }

  /** Notes what a finished kernel reads: kernels that are lowered from now on run before it. */
  finished(record: KernelRecord): void {
    for (const { buffer } of readsOf(record)) this.#readLater.add(buffer);
  }

  /** Buffers that a kernel which is lowered now will bind. */
  bindingCount(record: KernelRecord): number {
    return bindingCount(this.#placement.buffers.list, record, this.#readLater);
  }

  /** Puts a cluster back to be lowered (again), with those that it waits for. */
  again(cluster: Cluster): void {
    this.#insert(cluster);
  }

  #createCopy(request: CopyRequest, reads: readonly ValueId[], after: number): void {
    const shape = shapeOfValue(this.facts, request.like);
    const layout = this.dimensions.layoutOf(shape);
    const cluster = this.#create(shape, layout, reads, this.facts.places[request.like]! + after);
    cluster.copies.push({ request, layout });
  }

  #create(shape: readonly number[], layout: Layout, reads: readonly ValueId[], tie: number): Cluster {
    const cluster: Cluster = {
      id: -1,
      root: { kind: "elementwise", shape, layout },
      position: this.#latestOf(reads)?.position ?? 0,
      tie,
      limit: Number.POSITIVE_INFINITY,
      into: undefined,
      members: [],
      loads: new Set(),
      copies: [],
      size: 0,
      stores: 0,
    };
    this.#insert(cluster);
    return cluster;
  }

  #insert(cluster: Cluster): void {
    let [low, high] = [0, this.#pending.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareOrder(this.#pending[middle]!, cluster) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, cluster);
  }

  /** The latest cluster that values, evaluated in place, read from. */
  #latestOf(values: readonly ValueId[]): Cluster | undefined {
    const seen = new Set<ValueId>();
    const pending = [...values];
    let latest: Cluster | undefined;
    while (pending.length > 0) {
      const value = pending.pop()!;
      if (seen.has(value) || this.facts.roles[value] === "leaf") continue;
      seen.add(value);
      const owner = this.owner(value);
      if (owner && (this.#stored.has(value) || this.#isRoot(value, owner))) {
        if (!latest || compareOrder(owner, latest) > 0) latest = owner;
      } else {
        pending.push(...this.facts.producers[value]!.inputs);
      }
    }
    return latest;
  }

  /** Members of a cluster that must be written: results, and what later kernels asked for. */
  storesOf(cluster: Cluster): ValueId[] {
    return cluster.members.filter(
      (value) => this.owner(value) === cluster && (this.#placement.storage.has(value) || this.#demanded.has(value)),
    );
  }

  /** Elements of a value. */
  elements(value: ValueId): number {
    return elementsOf(this.facts, value);
  }

  get buffers() {
    return this.#placement.buffers;
  }
}
