/** What it costs to compute a number again instead of loading it. The unit is one vector operation on data at hand. */
import type { Node } from "../../graph/node.js";

/** Loading a tensor as large as the result; smaller ones stay in cache. */
export const loadWeight = 2;
/** Loading a tensor much smaller than the result: it stays in cache. */
export const smallLoadWeight = 0.5;
/** From here on a value with several users is computed once and stored. */
export const dearWeight = 8;
/** Recomputing this much instead of storing a second number beside one that is stored anyway still pays. */
export const sparedStoreWeight = 40;
/** A value of a few numbers that is read by many points is worth a kernel of its own from here on. */
export const repeatedWeight = 6;
/** Recomputing less than this by many points, from what they load anyway, is no worse than loading one more tensor. */
export const repeatedSpareWeight = 2;
/** Largest expression of one kernel, in instructions; longer ones are cut by storing a value. */
export const expressionLimit = 200;
/** Longest row of a reduction of which single elements are stored too. */
export const rowElementLimit = 65_536;

/** Operations of a node on one element. */
export function operationWeight(node: Node): number {
  switch (node.primitive) {
    case "exp":
    case "log":
    case "sin":
    case "cos":
    case "tanh":
    case "erf":
    case "logistic":
      return 10;
    case "power":
      return 20;
    case "random":
      return 30;
    case "divide":
    case "remainder":
    case "sqrt":
    case "rsqrt":
      return 6;
    case "gather":
      return 4;
    case "reshape":
    case "transpose":
    case "broadcast":
    case "slice":
    case "pad":
    case "stop_gradient":
    case "constant":
    case "iota":
      return 0;
    default:
      return 1;
  }
}
/** Tensors up to this size may be visited element by element by one thread, row after row. */
export const fewRowsLimit = 16_384;
