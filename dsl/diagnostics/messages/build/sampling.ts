/** `sample` blocks. */
import { defineMessage } from "../../registry.js";

const model = (functions: string, keys: string): string =>
  `model M() {\n  param w: [4] = ones()\n${functions}\n  sample draw { ${keys}, solver: euler(steps: 4) }\n}\n`;
const velocity = "  fn velocity(x: [4], t: [], c: [4]) -> [4] { w * (c - x) * t }";

export const samplingMessages = {
  notAStep: defineMessage<{ name: string; sampling: string; detail: string }>({
    code: "W410",
    text: ({ name, sampling, detail }) => `${name} cannot be a step of \`${sampling}\`: ${detail}`,
    help: () =>
      "The first parameter of a step is the state, the second the time `[]`, which goes from 0 to 1; it gives the velocity of the state, in its shape.",
    example: model("  fn velocity(t: [], x: [4]) -> [4] { t * w * x }", "step: velocity"),
  }),
  onceUnused: defineMessage<{ name: string; sampling: string; steps: readonly string[] }>({
    code: "W411",
    text: ({ name, sampling }) => `\`${sampling}\` runs ${name} once, but no step takes what it gives`,
    help: ({ name, steps }) => `Give ${steps.join(" or ")} a parameter \`${name}\` of that type.`,
    example: model(`${velocity}\n  fn code(c: [4]) -> [4] { c }`, "once: code, step: velocity"),
  }),
  samplingDisagrees: defineMessage<{
    name: string;
    first: string;
    firstType: string;
    second: string;
    secondType: string;
  }>({
    code: "W412",
    text: ({ name, first, firstType, second, secondType }) =>
      `\`${name}\` is ${firstType} for ${first}, but ${secondType} for ${second}`,
    example: model(
      `${velocity}\n  fn plain(x: [4], t: [], c: [3]) -> [4] { w * x + sum(c) }`,
      "step: velocity, unguided: plain, guidance: 2.0",
    ),
  }),
  lonelyGuidance: defineMessage<{ name: string; given: string; missing: string }>({
    code: "W413",
    text: ({ name, given, missing }) => `\`${name}\` says \`${given}\`, but not \`${missing}\``,
    help: () =>
      "`unguided` names the velocity without the condition, and `guidance` says how far to go from it: unguided + guidance * (step - unguided).",
    example: model(velocity, "step: velocity, guidance: 2.0"),
  }),
};
