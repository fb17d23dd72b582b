import type { IToken } from "chevrotain";
import type { Diagnostic, Span } from "../../diagnostics/diagnostic.js";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";

const escapes: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", n: "\n", t: "\t" };

/** The text between the quotes, escapes replaced. */
export function stringValue(token: IToken, path: string, report: (diagnostic: Diagnostic) => void): string {
  const closed = token.image.length > 1 && token.image.endsWith('"');
  const inner = token.image.slice(1, closed ? -1 : undefined);
  return inner.replace(/\\(.?)/g, (written: string, character: string, offset: number) => {
    const value = Object.hasOwn(escapes, character) ? escapes[character] : undefined;
    if (value === undefined && closed) {
      const start = token.startOffset + 1 + offset;
      report(
        diagnose(syntaxMessages.unknownEscape, { file: path, start, end: start + written.length }, { text: written }),
      );
    }
    return value ?? character;
  });
}

export function intValue(token: IToken, span: Span, report: (diagnostic: Diagnostic) => void): number {
  const value = Number(token.image.replaceAll("_", ""));
  if (!Number.isSafeInteger(value)) report(diagnose(syntaxMessages.numberTooLarge, span, { text: token.image }));
  return value;
}

export function floatValue(token: IToken): number {
  return Number(token.image.replaceAll("_", ""));
}
