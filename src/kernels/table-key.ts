import type { Dtype } from "../graph/dtype.js";

/** Equal for literal tensors of one type and the same numbers only: -0 is not 0. */
export const tableKey = (dtype: Dtype, values: readonly number[]): string =>
  `${dtype} ${values.map((value) => (Object.is(value, -0) ? "-0" : value)).join(",")}`;
