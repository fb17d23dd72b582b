/** Prints parts of a record's body at some place of its space. */
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { wgslDialect } from "../scalar/dialect.js";
import { type Leaves, printScalars, reachable } from "../scalar/print.js";
import type { Space } from "../schedules/space.js";
import type { Coordinates, KernelWriter } from "./writer.js";

/**
 * Writes the instructions that `wanted` need at coordinates and returns how their values are spelled. `known` gives the spelling of
 * what was computed before; `more` the leaves that are no loads or indices.
 */
export function writeValues(
  writer: KernelWriter,
  body: ScalarProgram,
  space: Pick<Space, "loads" | "indices">,
  wanted: readonly number[],
  coordinates: Coordinates,
  options: { readonly known?: ReadonlyMap<number, string>; readonly more?: Leaves; readonly scope?: string } = {},
): (position: number) => string {
  const { known = new Map<number, string>(), more = {}, scope = "" } = options;
  const needed = reachable(body, wanted, known);
  const reads = new Map<number, (extra?: string) => string>();
  const indices = new Map<number, string>();
  // Addresses stand before everything: they depend on coordinates alone.
  for (const [position, instruction] of body.entries()) {
    if (!needed[position] || known.has(position)) continue;
    if (instruction.kind === "load" || instruction.kind === "load_indexed") {
      const view = space.loads[instruction.access]!;
      reads.set(position, writer.read(`${scope}load${instruction.access}`, view, coordinates));
    } else if (instruction.kind === "index") {
      const form = space.indices.get(position)!;
      indices.set(position, writer.let("x", writer.affine(`${scope}index${position}`, form, coordinates)));
    }
  }
  const leaves: Leaves = {
    ...more,
    load: (_, position) => reads.get(position)!(),
    indexed: (instruction, index, position) =>
      reads.get(position)!(
        ` + ${index} * ${writer.integer(`${scope}load${instruction.access}.indexed`, instruction.stride)}`,
      ),
    index: (_, position) => indices.get(position)!,
  };
  const printed = printScalars(body, wanted, leaves, wgslDialect, { prefix: `${writer.fresh("v")}_`, known });
  writer.line(...printed.statements);
  return printed.name;
}
