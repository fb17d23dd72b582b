/** Dimensions in groups (batch, lines, columns, reduced), each counted by one number: how contractions see their operands and results. */
import type { Access, Operand, Store } from "../../src/kernels/record.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { joinedWithin, type Space, spaceOf } from "./space.js";

export interface Joined {
  readonly space: Space;
  /** For each group the dimensions it has in the space, outermost first. */
  readonly members: readonly (readonly number[])[];
}

/** The space of a body over groups of dimensions, given by their extents; neighbours within a group that every view walks as one are joined. */
export function joinGroups(
  groups: readonly (readonly number[])[],
  accesses: readonly Access[],
  body: ScalarProgram,
  stores: readonly Store[],
): Joined {
  const extents = groups.flat();
  const numbers = groups.flatMap((group, number) => group.map(() => number));
  const whole = spaceOf({ archetype: "elementwise", extents, accesses, body, stores, origins: [], label: "" });
  const { space, groups: left } = joinedWithin(whole, numbers);
  return {
    space,
    members: groups.map((_, number) => left.flatMap((group, dimension) => (group === number ? [dimension] : []))),
  };
}

/** How many loads are contiguous along the last dimension of a group. */
export function contiguousLoads({ space, members }: Joined, group: number): number {
  const last = members[group]!.at(-1);
  return last === undefined ? 0 : space.loads.filter((view) => view.address.strides[last] === 1).length;
}

/** The operand without dimensions that it does not depend on, `count` from `first` on. */
export function withoutDimensions(operand: Operand, first: number, count: number): Operand {
  const cut = (strides: readonly number[]) => [...strides.slice(0, first), ...strides.slice(first + count)];
  return {
    accesses: operand.accesses.map((access) => ({
      ...access,
      strides: cut(access.strides),
      ...(access.bounds ? { bounds: access.bounds.map((bound) => ({ ...bound, strides: cut(bound.strides) })) } : {}),
    })),
    body: operand.body.map((instruction) =>
      instruction.kind === "index" ? { ...instruction, strides: cut(instruction.strides) } : instruction,
    ),
  };
}
