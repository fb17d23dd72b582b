import { strict as assert } from "node:assert";
import { buildMessages } from "../../dsl/diagnostics/messages/build.js";
import { diagnosticsOf } from "./support.js";

const model = (members: string) => `import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"
model M() {
  experts = [Linear(2, 2)] * 3
  memory = adapt experts[*] with LoRA(rank: 1) as Flat(1, 2)
  param shared: memory.tokens = memory.initial()
  fn loss(x: [2]) -> [] { sum(experts[0](x)) }
  fn tokens(x: [2]) -> memory.tokens { shared }
${members}
}
`;

const forms: Readonly<Record<string, string>> = {};

describe("forms that are planned", () => {
  for (const [what, members] of Object.entries(forms)) {
    it(`${what}: a message says that it is not supported yet`, async () => {
      const found = await diagnosticsOf(model(members));
      assert.deepEqual(
        found.map(({ code, message }) => [code, message]),
        [[buildMessages.notSupported.code, `${what} is not supported yet`]],
      );
    });
  }
});
