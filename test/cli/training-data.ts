/** Tables for the model test/cli/models/regression.weft. */
import { join } from "node:path";
import type { Tensor } from "../../src/index.js";
import { floats, noise, writeTensors } from "./support.js";

/** Pairs of x in [-1, 1]^4 and a smooth y of it. */
export function pairs(rows: number, seed: number): { readonly x: Tensor; readonly y: Tensor } {
  const x = floats([rows, 4], noise(seed));
  const y = floats([rows, 2], (place) => {
    const [a, b, c, d] = x.data.subarray(4 * (place >> 1));
    return place % 2 === 0 ? a! - 2 * b! + 0.5 : Math.sin(c!) * d!;
  });
  return { x, y };
}

/** Writes the tables; returns the flags that name them. */
export async function tables(folder: string): Promise<string[]> {
  const training = await writeTensors(join(folder, "pairs.safetensors"), { ...pairs(64, 1) });
  const held = await writeTensors(join(folder, "held.safetensors"), { ...pairs(20, 2) });
  return ["--table", `pairs=${training}`, "--table", `held_out=${held}`];
}
