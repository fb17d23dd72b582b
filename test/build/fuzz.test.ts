import assert from "node:assert/strict";
import { check } from "../../dsl/check/check.js";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { lex } from "../../dsl/syntax/lexer.js";
import { buildModel } from "../../src/build/build.js";
import { checkEntryPoints } from "../../src/build/check-entry-points.js";
import { codeBlocks } from "../docs/blocks.js";
import { pick, type Random, seeded } from "../dsl/generate.js";
import { mutate } from "../dsl/mutate.js";
import { textHost } from "./support.js";

const count = Math.floor(Number(process.env.WEFT_FUZZ ?? 3000) / 10);
const base = Number(process.env.WEFT_SEED ?? 1);

/** Whole files that build: the examples of the language reference and of the README. */
const texts = ["README.md", "docs/language.md"].flatMap((page) =>
  codeBlocks(page)
    .filter(({ marks }) => marks.join(" ") === "weft")
    .map(({ text }) => text),
);

const numbers = ["0", "1", "2", "3", "5", "16", "-1", "1000000007", "9007199254740991", "0.5", "1e30"];

/** Mistakes that a reader of shapes finds rather than a reader of words: another number, another name that is known. */
function mistake(random: Random, text: string): string {
  const { tokens } = lex(text, "");
  const wanted = random(2) ? /^\d/ : /^[A-Za-z_]\w*$/;
  const chosen = tokens.filter(({ image }) => wanted.test(image));
  if (chosen.length === 0) return text;
  const { startOffset, image } = pick(random, chosen);
  const other = wanted.test("1") ? pick(random, numbers) : pick(random, chosen).image;
  return text.slice(0, startOffset) + other + text.slice(startOffset + image.length);
}

async function examine(text: string): Promise<"built" | "refused"> {
  const { program, sources } = await check("main.weft", textHost({ "main.weft": text }));
  if (!program) return "refused";
  const inside = ({
    span,
  }: {
    readonly span: { readonly file: string; readonly start: number; readonly end: number };
  }): void => assert.ok(span.start >= 0 && span.start <= span.end && span.end <= (sources.get(span.file)?.length ?? 0));
  try {
    const model = buildModel(program);
    const diagnostics = checkEntryPoints(model);
    diagnostics.forEach(inside);
    return diagnostics.length === 0 ? "built" : "refused";
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    assert.ok(error.diagnostics.length > 0);
    error.diagnostics.forEach(inside);
    return "refused";
  }
}

describe("models with mistakes in them", () => {
  it("are built, or refused with a message at its place, in good time", async function () {
    this.timeout(3_600_000);
    const outcomes = { built: 0, refused: 0 };
    for (let seed = base; seed < base + count; seed++) {
      const random = seeded(seed);
      let text = pick(random, texts);
      for (let changes = 1 + random(3); changes > 0; changes--)
        text = random(5) ? mistake(random, text) : mutate(random, text);
      const start = performance.now();
      try {
        outcomes[await examine(text)]++;
        assert.ok(performance.now() - start < 5000, "takes too long");
      } catch (error) {
        throw new Error(`WEFT_SEED=${seed}: ${(error as Error).stack}\n${text}`);
      }
    }
    // Both must be common, or the mistakes are not worth much.
    assert.ok(outcomes.built > count / 20 && outcomes.refused > count / 20, JSON.stringify(outcomes));
  });
});
