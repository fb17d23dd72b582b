import { lex } from "../../dsl/syntax/lexer.js";
import { pick, type Random } from "./generate.js";

// biome-ignore format: a list
export const words = [
  "let", "for", "in", "if", "else", "and", "or", "not", "true", "assert", "import", "from", "as", "module", "interface", "layout",
  "model", "fn", "on", "param", "slot", "frozen", "given", "shared", "train", "evaluate", "sample", "collect", "into", "adapt",
  "with", "at", "by", "ragged", "x", "name", "1", "2.5", '"text"', '"open', "...", "..", ".", "->", "==", "=", "**", "*", "//",
  "/", "+", "-", "%", "@", ",", ":", "(", ")", "[", "]", "{", "}", "\n", "\n\n", "# comment\n", "/// doc\n", ";", "\u00e9", "\\",
];

/** A text with a token or a character deleted, doubled, swapped or replaced, or cut off; now and then as it was. */
export function mutate(random: Random, text: string): string {
  const tokens = random(4) ? lex(text, "").tokens : [];
  const range = (): { start: number; end: number } => {
    if (tokens.length === 0) {
      const at = random(text.length + 1);
      return { start: at, end: Math.min(text.length, at + 1) };
    }
    const token = pick(random, tokens);
    return { start: token.startOffset, end: token.startOffset + token.image.length };
  };
  const { start, end } = range();
  switch (random(6)) {
    case 0:
      return text.slice(0, start) + text.slice(end);
    case 1:
      return text.slice(0, end) + text.slice(start);
    case 2: {
      const other = range();
      if (other.start < end) return text;
      return (
        text.slice(0, start) +
        text.slice(other.start, other.end) +
        text.slice(end, other.start) +
        text.slice(start, end) +
        text.slice(other.end)
      );
    }
    case 3:
      return `${text.slice(0, start)} ${pick(random, words)} ${text.slice(end)}`;
    case 4:
      return `${text.slice(0, start)}${pick(random, words)}${text.slice(start)}`;
    default:
      return random(3) ? text : text.slice(0, start);
  }
}
