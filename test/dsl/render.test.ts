import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../dsl/check/check.js";
import type { Diagnostic } from "../../dsl/diagnostics/diagnostic.js";
import { checkMessages } from "../../dsl/diagnostics/messages/check.js";
import { syntaxMessages } from "../../dsl/diagnostics/messages/syntax.js";
import { indexLines, lineText, positionAt } from "../../dsl/diagnostics/positions.js";
import { render } from "../../dsl/diagnostics/render.js";
import { memoryHost } from "./memory-host.js";

const folder = join(import.meta.dirname, "..", "golden", "messages");

/** Compares with the golden file; WEFT_GOLDEN=write replaces it. */
function assertGolden(name: string, text: string): void {
  const path = join(folder, name);
  if (process.env.WEFT_GOLDEN === "write") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"));
}

async function renderText(files: Readonly<Record<string, string>>, color = false): Promise<string> {
  const { diagnostics, sources } = await check("main.weft", memoryHost(files));
  return render(diagnostics, sources, { color });
}

const diagnosticAt = (file: string, start: number, end: number, more: Partial<Diagnostic> = {}): Diagnostic => ({
  code: "W999",
  severity: "error",
  message: "something is wrong",
  span: { file, start, end },
  labels: [],
  ...more,
});

describe("render", () => {
  for (const [part, messages] of Object.entries({ syntax: syntaxMessages, check: checkMessages })) {
    it(`shows every message of ${part} as people should read it`, async () => {
      const texts: string[] = [];
      for (const message of Object.values(messages)) texts.push(await renderText({ "main.weft": message.example }));
      assertGolden(`${part}.txt`, texts.join("\n"));
    });
  }

  it("shows several errors of one file, with places in other files", async () => {
    const main =
      'import { scaled } from "./scale.weft"\n\nfn twice(x: [n]) -> [n] {\n\tlet y = scaled(x)\n\tx +\n}\nfn b(x: [n] { x }\n';
    const scale = "# scale\nfn scaled(x: [n], factor: float) -> [n] {\n  x * factor\n}\n";
    assertGolden("several.txt", await renderText({ "main.weft": main, "scale.weft": scale }));
    const checked = main
      .replace("x +", "x + y + z")
      .replace("[n] {", "[n]) -> [n] {")
      .replace("fn b(x: [n] {", "fn b(x: [n]) {");
    const fixed = checked.replace("[n]) -> [n]) -> [n]", "[n]) -> [n]");
    assertGolden("files.txt", await renderText({ "main.weft": fixed, "scale.weft": scale }));
  });

  it("colours titles, places and gutters", async () => {
    assertGolden("color.txt", await renderText({ "main.weft": checkMessages.undefinedName.example }, true));
  });

  it("shows labels on one line, on distant lines, and spans of several lines", () => {
    const text = "module M() {\n  a = one(\n    two,\n  )\n\n  b = three(a, a)\n}\n";
    const at = (word: string, from = 0) => ({
      file: "m.weft",
      start: text.indexOf(word, from),
      end: text.indexOf(word, from) + word.length,
    });
    const diagnostic = diagnosticAt("m.weft", text.indexOf("one"), text.indexOf(")\n\n") + 1, {
      labels: [
        { span: at("three"), text: "it is used here" },
        { span: at("a, a"), text: "with these" },
        { span: { file: "absent.weft", start: 4, end: 6 }, text: "and made in a file that is not at hand" },
      ],
    });
    assertGolden("labels.txt", render([diagnostic], new Map([["m.weft", text]]), { color: false }));
  });

  it("shows long lines around the place, and control characters as signs", () => {
    const text = `let x = ${"a + ".repeat(100)}\u001b[31mwrong${" + b".repeat(100)}\n`;
    const start = text.indexOf("wrong");
    const shown = render([diagnosticAt("m.weft", start, start + 5)], new Map([["m.weft", text]]), { color: false });
    assert.ok(!shown.includes("\u001b"));
    const [source, marks] = shown.split("\n").slice(3, 5);
    assert.ok(source!.length < 160);
    assert.equal(source!.indexOf("wrong"), marks!.indexOf("^^^^^"));
  });

  it("points at the end of the file", () => {
    const shown = render([diagnosticAt("m.weft", 4, 4)], new Map([["m.weft", "a\nbc"]]), { color: false });
    assert.ok(shown.includes("m.weft:2:3"));
    assert.ok(shown.includes("|   ^"));
  });
});

describe("positions", () => {
  it("count lines by any line end and columns by code points", () => {
    const index = indexLines("a\r\nb\rc\n\u{1f600}d");
    assert.deepEqual(
      [0, 1, 3, 5, 7, 9, 99].map((offset) => positionAt(index, offset)),
      [
        { line: 1, column: 1 },
        { line: 1, column: 2 },
        { line: 2, column: 1 },
        { line: 3, column: 1 },
        { line: 4, column: 1 },
        { line: 4, column: 2 },
        { line: 4, column: 3 },
      ],
    );
    assert.deepEqual(
      [1, 2, 3, 4].map((line) => lineText(index, line)),
      ["a", "b", "c", "\u{1f600}d"],
    );
  });
});
