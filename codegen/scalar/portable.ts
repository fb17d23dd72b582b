/** Every portable function that a kernel's text may call. */
import type { PortableFunction } from "./functions.js";
import {
  clampIndex,
  cos,
  erf,
  exp,
  log,
  logistic,
  maximum,
  minimum,
  power,
  remainder,
  rsqrt,
  sign,
  sin,
  tanh,
} from "./maths.js";
import { normal, uniform } from "./random.js";

export const portableFunctions: readonly PortableFunction[] = [
  exp,
  log,
  sin,
  cos,
  tanh,
  erf,
  logistic,
  rsqrt,
  sign,
  maximum,
  minimum,
  power,
  clampIndex,
  remainder,
  uniform,
  normal,
];
