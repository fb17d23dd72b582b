import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../dsl/check/check.js";
import { render } from "../../dsl/diagnostics/render.js";
import { format } from "../../dsl/syntax/format.js";
import { parse } from "../../dsl/syntax/parser.js";
import { generateFile, pick, type Random, seeded } from "./generate.js";
import { memoryHost } from "./memory-host.js";
import { mutate, words } from "./mutate.js";

const count = Number(process.env.WEFT_FUZZ ?? 3000);
const base = Number(process.env.WEFT_SEED ?? 1);

const texts = ["editor.weft", "forms.weft"].map((name) =>
  readFileSync(join(import.meta.dirname, "texts", name), "utf8"),
);

const soup = (random: Random): string =>
  Array.from({ length: random(60) }, () => pick(random, words)).join(random(4) ? " " : "");

const noise = (random: Random): string =>
  String.fromCharCode(...Array.from({ length: random(80) }, () => (random(3) ? random(256) : random(65536))));

/** A valid text with a few tokens or characters deleted, doubled, swapped or replaced, or cut off. */
function mutant(random: Random): string {
  const source = random(2) ? generateFile(random) : pick(random, texts);
  const start = random(2) ? 0 : random(source.length);
  let text = source.slice(start, start + 200 + random(2000));
  for (let changes = 1 + random(4); changes > 0; changes -= 1) text = mutate(random, text);
  return text;
}

const kinds: Readonly<Record<string, (random: Random) => string>> = { mutant, soup, noise };

async function examine(text: string): Promise<void> {
  const parsed = parse(text, "main.weft");
  for (const { span, message } of parsed.diagnostics) {
    assert.ok(
      span.start >= 0 && span.start <= span.end && span.end <= text.length,
      `${message}: ${JSON.stringify(span)}`,
    );
  }
  const { diagnostics, program, sources } = await check(
    "main.weft",
    memoryHost({ "main.weft": text, "helper.weft": "" }),
  );
  assert.equal(program === undefined, diagnostics.length > 0);
  for (const { span } of diagnostics) {
    assert.ok(span.start >= 0 && span.start <= span.end && span.end <= (sources.get(span.file)?.length ?? 0));
  }
  const shown = render(diagnostics, sources, { color: false });
  assert.equal(shown === "", diagnostics.length === 0);
  const result = format(text, "main.weft");
  assert.equal("text" in result, parsed.diagnostics.length === 0);
  if (!("text" in result)) return;
  assert.deepEqual(format(result.text, "main.weft"), result);
}

describe("any text at all", () => {
  for (const [name, make] of Object.entries(kinds)) {
    const share = name === "mutant" ? count - 2 * Math.floor(count / 4) : Math.floor(count / 4);
    it(`is read without a crash, and refused with a message at its place (${name})`, async function () {
      this.timeout(3_600_000);
      for (let seed = base; seed < base + share; seed += 1) {
        const text = make(seeded(seed));
        const start = performance.now();
        try {
          await examine(text);
          assert.ok(performance.now() - start < 5000, "takes too long");
        } catch (error) {
          throw new Error(`${name}, WEFT_SEED=${seed}: ${(error as Error).stack}\n${JSON.stringify(text)}`);
        }
      }
    });
  }

  const deep: Readonly<Record<string, string>> = {
    parentheses: "(".repeat(50_000),
    "closed parentheses": `fn f() { ${"(".repeat(5000)}x${")".repeat(5000)} }`,
    blocks: "{".repeat(50_000),
    minuses: `fn f() { ${"- ".repeat(50_000)}x }`,
    nots: `fn f() { ${"not ".repeat(20_000)}x }`,
    powers: `fn f() { x${" ** x".repeat(20_000)} }`,
    sums: `fn f() { x${" + x".repeat(20_000)} }`,
    members: `fn f() { x${".x".repeat(20_000)} }`,
    calls: `fn f() { x${"()".repeat(20_000)} }`,
    withs: `fn f() { x${" with x".repeat(20_000)} }`,
    "else ifs": `fn f() { if a { b } ${"else if a { b } ".repeat(10_000)} }`,
    "else ifs among members": `module M() { if a { b = 1 } ${"else if a { b = 1 } ".repeat(10_000)} }`,
    sums_in_parentheses: `fn f() { ${"(x + x + x + x + x + x + x + ".repeat(60)}x${")".repeat(60)} }`,
  };
  for (const [name, text] of Object.entries(deep)) {
    it(`may nest without end: ${name}`, async () => {
      await examine(text);
      assert.ok(parse(text, "main.weft").diagnostics.length > 0 || name === "sums_in_parentheses");
    });
  }
});
