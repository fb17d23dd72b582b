import type { Access } from "../../src/kernels/record.js";
import type { View } from "../schedules/space.js";

/** An operand of a kernel that has no expressions, as a view. */
export function plainView({ buffer, offset, strides, bounds }: Access): View {
  if (bounds?.length) throw new Error("a plain view has no bounds");
  return { buffer, address: { offset, strides }, bounds: [] };
}
