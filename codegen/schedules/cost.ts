/** Rough costs on one thread of a CPU, in nanoseconds: for choosing loops and for deciding whether a launch is worth cutting. */
import type { ScalarInstruction, ScalarProgram } from "../../src/kernels/scalar.js";
import type { View } from "./space.js";

/** Cost of one instruction for one point in a vectorised loop. Loads are costed by their strides. */
export function instructionCost(instruction: ScalarInstruction): number {
  switch (instruction.kind) {
    case "load":
    case "constant":
    case "accumulator":
      return 0;
    case "index":
    case "cast":
    case "select":
    case "reduce":
      return 0.04;
    case "random":
      return instruction.distribution === "normal" ? 4 : 2;
    case "load_indexed":
      return 0.2;
    case "unary":
      switch (instruction.operation) {
        case "exp":
        case "log":
        case "sin":
        case "cos":
        case "tanh":
        case "erf":
        case "logistic":
          return 0.5;
        case "sqrt":
        case "rsqrt":
          return 0.2;
        case "negate":
        case "absolute":
        case "sign":
        case "floor":
        case "not":
          return 0.04;
      }
      break;
    case "binary":
      switch (instruction.operation) {
        case "power":
          return 1.5;
        case "divide":
        case "remainder":
          return instruction.dtype === "f32" ? 0.15 : 4;
        default:
          return 0.04;
      }
  }
}

/** Cost per point of a whole body. */
export const bodyCost = (body: ScalarProgram): number =>
  body.reduce((sum, instruction) => sum + instructionCost(instruction), 0);

/** Cost per point of reading or writing a view when `dimension` is the innermost loop. */
export function accessCost(view: View, dimension: number): number {
  const stride = Math.abs(view.address.strides[dimension] ?? 0);
  const checks = 0.05 * view.bounds.length;
  if (stride === 0) return 0.01 + checks;
  if (stride === 1) return 0.12 + checks;
  return (stride < 16 ? 0.4 : 0.9) + checks;
}

/** Nanoseconds it takes to enter an innermost loop, shared by its points; short loops also leave vector lanes empty. */
export function loopCost(perPoint: number, extent: number): number {
  const filled = Math.ceil(extent / 16) * 16;
  return (perPoint * filled) / Math.max(extent, 1) + 6 / Math.max(extent, 1);
}
