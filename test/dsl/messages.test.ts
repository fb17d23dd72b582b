import assert from "node:assert/strict";
import { check } from "../../dsl/check/check.js";
import { checkMessages } from "../../dsl/diagnostics/messages/check.js";
import { allMessages } from "../../dsl/diagnostics/messages/index.js";
import { syntaxMessages } from "../../dsl/diagnostics/messages/syntax.js";
import { memoryHost } from "./memory-host.js";

describe("messages of syntax and check", () => {
  for (const message of [...Object.values(syntaxMessages), ...Object.values(checkMessages)]) {
    it(`${message.code} is caused by its example, alone`, async () => {
      const { diagnostics, program } = await check("main.weft", memoryHost({ "main.weft": message.example }));
      assert.deepEqual(
        diagnostics.map((diagnostic) => diagnostic.code),
        [message.code],
        diagnostics.map((diagnostic) => diagnostic.message).join("\n"),
      );
      assert.equal(program, undefined);
    });
  }

  it("have codes of their own that tell which part speaks", () => {
    for (const { code } of Object.values(syntaxMessages)) assert.match(code, /^W1\d\d$/);
    for (const { code } of Object.values(checkMessages)) assert.match(code, /^W2\d\d$/);
    assert.ok(allMessages.size >= Object.keys(syntaxMessages).length + Object.keys(checkMessages).length);
  });
});
