/** What goes wrong with lists of modules indexed by a tensor. */
import { defineMessage } from "../../registry.js";

/** A model with two pairs of maps, some of them equal. */
const model = (sizes: string, signature: string, body: string): string =>
  `module Map(n: int, m: int) {\n  param weight: [m, n]\n  forward(x: [n]) -> [m] { weight @ x }\n}\nmodel M() {\n  maps = [Map(4, m) for m in ${sizes}]\n  fn f(${signature}) -> [3, 4] {\n    ${body}\n  }\n}\n`;

export const rowMessages = {
  unequalModules: defineMessage<{ reason: string }>({
    code: "W374",
    text: ({ reason }) => `a list indexed by a tensor holds equal modules, but ${reason}`,
    help: () =>
      "Rows are sent through one of the modules when the model runs; all of them must work alike, apart from their stored tensors.",
    example: model("[4, 5]", "x: [3, 4], i: int[3]", "maps[i](x)"),
  }),
  rowsDisagree: defineMessage<{ index: string; found: string }>({
    code: "W375",
    text: ({ index, found }) =>
      `the index is int${index}, one number for each row, so every tensor given has the axes ${index} in front, but this is ${found}`,
    help: () => "What is the same for all rows can be repeated: `broadcast(x, [n, ..])`.",
    example: model("[4, 4]", "x: [2, 4], i: int[3]", "maps[i](x)"),
  }),
  readByRow: defineMessage<{ name: string }>({
    code: "W376",
    text: ({ name }) => `\`${name}\` is another tensor for every row here, and would be copied for each`,
    help: () => "Call the module, or one of its methods, on the rows instead.",
    example: model("[4, 4]", "x: [3, 4], i: int[3]", "maps[i].weight[:, 0]"),
  }),
  rowsSeeNoBatch: defineMessage({
    code: "W377",
    text: () =>
      "a module that is chosen row by row sees one row of one instance, and cannot gather what all instances have",
    help: () => "Gather before the rows are sent through the modules, and hand it to them.",
    example:
      "module Map() {\n  forward(x: [n]) -> [n] { mean(gather_instances(x), axis: 0) }\n}\nmodel M() {\n  maps = [Map()] * 2\n  fn f(x: [3, 4], i: int[3]) -> [3, 4] { maps[i](x) }\n}\n",
  }),
};
