/** Derivatives as expressions: `grad(value, of: x)`. */
import { defineMessage } from "../../registry.js";

const model = (body: string): string =>
  `model M() {\n  param w: [4] = ones()\n  fn f(x: [4]) -> [4] {\n    ${body}\n  }\n}\n`;

export const derivativeMessages = {
  derivativeOfNothing: defineMessage({
    code: "W400",
    text: () => "the value does not depend on this, so it has no derivative by it",
    help: () =>
      "`of` is what the value was computed from: a parameter, a stored tensor, or a name that was bound before. No derivative passes `stop_gradient`, ints and truth values.",
    example: model("grad(sum(x * x), of: w)"),
  }),
  derivativeByConstant: defineMessage({
    code: "W401",
    text: () =>
      "this is a constant: where the value uses it cannot be told from where it uses the same number otherwise",
    help: () => "Write `let z = stop_gradient(zeros([8]))` to make it a value of its own.",
    example: model("let z = zeros([4])\n    grad(sum(x * z), of: z)"),
  }),
  secondOrder: defineMessage<{ stage?: string }>({
    code: "W402",
    text: ({ stage }) =>
      stage === undefined
        ? "this would be the derivative of a derivative, which is not in the language"
        : `training \`${stage}\` would need the derivative of this derivative, which is not in the language`,
    help: () => "`stop_gradient(grad(..))` takes the inner derivative as it is; what is around it is still derived.",
    example: model("grad(sum(grad(sum(w * x ** 2), of: x)), of: x)"),
  }),
  derivativeAcrossInstances: defineMessage({
    code: "W403",
    text: () => "`grad` is taken for each instance alone, and the value depends on this through `gather_instances`",
    help: () => "`stop_gradient(gather_instances(x))` takes the other instances as they are.",
    example: model("grad(sum(gather_instances(x) * w), of: x)"),
  }),
};
