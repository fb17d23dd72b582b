import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FileGrammar } from "../../dsl/syntax/grammar/file.js";
import * as tokens from "../../dsl/syntax/tokens.js";

describe("grammar", () => {
  it("has no mistakes that chevrotain can find", () => {
    assert.doesNotThrow(() => new FileGrammar(true));
  });

  it("is documented with every word and sign", () => {
    const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "grammar.md"), "utf8");
    const written = new Set(page.match(/"[^"\s]+"/g));
    for (const type of tokens.lexedTokens) {
      if (type.LABEL !== undefined)
        assert.ok(written.has(`"${type.LABEL}"`), `"${type.LABEL}" is missing in docs/grammar.md`);
    }
  });
});
