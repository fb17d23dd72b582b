/**
 * The iteration space of an elementwise or reduction record with everything in it that is affine in the coordinates, so that
 * dimensions can be dropped, joined and reordered in one place for all targets.
 */
import type { Access, BufferId, ElementwiseKernel, ReductionKernel, Store } from "../../src/kernels/record.js";

/** offset + sum of strides[d] * coordinate d. */
export interface Affine {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** An access: where it points (in elements), and the affine numbers that must lie in 0..size-1. */
export interface View {
  readonly buffer: BufferId;
  readonly address: Affine;
  readonly bounds: readonly { readonly form: Affine; readonly size: number }[];
}

export interface Space {
  readonly extents: readonly number[];
  /** Number of trailing dimensions that are reduced; 0 for elementwise records. */
  readonly reduced: number;
  readonly loads: readonly View[];
  readonly stores: readonly View[];
  /** Affine forms of the body's `index` instructions, by position. */
  readonly indices: ReadonlyMap<number, Affine>;
  /**
   * Points whose form is `size` or more do not exist. The form moves with one reduced dimension (and with rows): the last of several
   * stretches of it is shorter.
   */
  readonly limit?: { readonly form: Affine; readonly size: number };
}

/** A view of a buffer as the record names it. */
export function viewOf(access: Access): View {
  return {
    buffer: access.buffer,
    address: { offset: access.offset, strides: access.strides },
    bounds: (access.bounds ?? []).map((bound) => ({
      form: { offset: bound.offset, strides: bound.strides },
      size: bound.size,
    })),
  };
}

export function spaceOf(record: ElementwiseKernel | ReductionKernel): Space {
  const indices = new Map<number, Affine>();
  for (const [position, instruction] of record.body.entries()) {
    if (instruction.kind === "index")
      indices.set(position, { offset: instruction.offset, strides: instruction.strides });
  }
  return {
    extents: record.extents,
    reduced: record.archetype === "reduction" ? record.reduced : 0,
    loads: record.accesses.map(viewOf),
    stores: record.stores.map((store: Store) => viewOf(store.access)),
    indices,
  };
}

/** Every affine form of a space. */
function formsOf(space: Space): readonly Affine[] {
  const ofView = (view: View) => [view.address, ...view.bounds.map((bound) => bound.form)];
  const limits = space.limit ? [space.limit.form] : [];
  return [...space.loads.flatMap(ofView), ...space.stores.flatMap(ofView), ...space.indices.values(), ...limits];
}

/** The space with each form's strides replaced. */
function withStrides(
  space: Space,
  extents: readonly number[],
  reduced: number,
  strides: (form: Affine) => readonly number[],
): Space {
  const change = (form: Affine): Affine => ({ offset: form.offset, strides: strides(form) });
  const changeView = (view: View): View => ({
    buffer: view.buffer,
    address: change(view.address),
    bounds: view.bounds.map((bound) => ({ form: change(bound.form), size: bound.size })),
  });
  return {
    extents,
    reduced,
    loads: space.loads.map(changeView),
    stores: space.stores.map(changeView),
    indices: new Map([...space.indices].map(([position, form]) => [position, change(form)])),
    ...(space.limit ? { limit: { form: change(space.limit.form), size: space.limit.size } } : {}),
  };
}

/** Dimension i of the result is dimension order[i]; the reduced ones must stay last. */
export function permuted(space: Space, order: readonly number[]): Space {
  return withStrides(
    space,
    order.map((dimension) => space.extents[dimension]!),
    space.reduced,
    (form) => order.map((dimension) => form.strides[dimension]!),
  );
}

/**
 * Drops dimensions of extent 1 and joins neighbours that every form walks as one. Row dimensions are not joined with reduced ones; a
 * reduction keeps at least one reduced dimension. The row-major number of a point within the reduced dimensions does not change.
 */
export function joined(space: Space): Space {
  const firstReduced = space.extents.length - space.reduced;
  const groups = space.extents.map((_, dimension) => (dimension >= firstReduced ? 1 : 0));
  const result = joinedWithin(space, groups);
  if (space.reduced === 0 || result.space.reduced > 0) return result.space;
  const last = space.extents.length - 1;
  return withStrides(space, [...result.space.extents, 1], 1, (form) => [
    ...result.kept.map((dimension) => form.strides[dimension]!),
    form.strides[last]!,
  ]);
}

/**
 * The same for dimensions in any number of groups, `groups[d]` being the group of dimension d: only neighbours of one group are joined.
 * Also gives the groups of the dimensions that are left, and for each of them the (innermost) dimension it came from.
 */
export function joinedWithin(
  space: Space,
  groups: readonly number[],
): { readonly space: Space; readonly groups: readonly number[]; readonly kept: readonly number[] } {
  const forms = formsOf(space);
  const firstReduced = space.extents.length - space.reduced;
  /** Runs of dimensions that become one, outermost first. */
  const runs: number[][] = [];
  for (let dimension = 0; dimension < space.extents.length; dimension++) {
    if (space.extents[dimension] === 1) continue;
    const run = runs[runs.length - 1];
    const last = run?.[run.length - 1];
    const joins =
      last !== undefined &&
      groups[last] === groups[dimension] &&
      forms.every((form) => form.strides[last] === form.strides[dimension]! * space.extents[dimension]!);
    if (joins) run!.push(dimension);
    else runs.push([dimension]);
  }
  const kept = runs.map((run) => run[run.length - 1]!);
  return {
    space: withStrides(
      space,
      runs.map((run) => run.reduce((product, dimension) => product * space.extents[dimension]!, 1)),
      kept.filter((dimension) => dimension >= firstReduced).length,
      (form) => kept.map((dimension) => form.strides[dimension]!),
    ),
    groups: kept.map((dimension) => groups[dimension]!),
    kept,
  };
}

/** Puts the row dimensions in the order in which the first store walks memory, so that neighbouring units write neighbouring places. */
export function inStoreOrder(space: Space): Space {
  const store = space.stores[0];
  if (!store) return space;
  const rows = space.extents.length - space.reduced;
  const order = space.extents.map((_, dimension) => dimension);
  const sorted = order
    .slice(0, rows)
    .sort((a, b) => Math.abs(store.address.strides[b]!) - Math.abs(store.address.strides[a]!) || a - b);
  return permuted(space, [...sorted, ...order.slice(rows)]);
}

/** Whether a form does not change along a dimension. */
export const constantAlong = (form: Affine, dimension: number): boolean => form.strides[dimension] === 0;

/** Whether neither address nor bounds of a view change along a dimension. */
export const viewConstantAlong = (view: View, dimension: number): boolean =>
  constantAlong(view.address, dimension) && view.bounds.every((bound) => constantAlong(bound.form, dimension));
