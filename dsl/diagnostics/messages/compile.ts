/** Messages of `src/compile.ts`: what shows only when the target and the batch are known. Codes W5xx. */
import { defineMessage } from "../registry.js";

export const compileMessages = {
  tensorTooLarge: defineMessage<{ what: string; bytes: number; limit: number; target: string; batch: number }>({
    code: "W500",
    text: ({ what, bytes, limit, target }) =>
      `${what} takes ${sizeText(bytes)}, but ${target} binds ${sizeText(limit)} at most at once`,
    help: ({ batch }) =>
      batch > 1
        ? `Use a smaller batch (it is ${batch}), or run it on another device.`
        : "Make it smaller, or run it on another device.",
    example: "model M() {\n  fn f(x: [8, 2]) -> [8, 2] { (x @ x.T) @ x }\n}\n",
  }),
};

function sizeText(bytes: number): string {
  const [unit, name] = bytes < 2 ** 20 ? [2 ** 10, "KiB"] : bytes < 2 ** 30 ? [2 ** 20, "MiB"] : [2 ** 30, "GiB"];
  const number = bytes / unit;
  return bytes < 2 ** 10 ? `${bytes} bytes` : `${Number.isInteger(number) ? number : number.toFixed(1)} ${name}`;
}
