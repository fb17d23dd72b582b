import type { Setting } from "../build/model.js";
import { CommandError, exitCodes } from "./exit-codes.js";

/** `--set dim=128 --set causal=true`: numbers and truth values are read as such, the rest is text. */
export function parseSettings(assignments: readonly string[]): Record<string, Setting> {
  return Object.fromEntries(
    assignments.map((assignment) => {
      const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(assignment);
      if (!match) throw new CommandError(`--set expects NAME=VALUE, found "${assignment}"`, exitCodes.usage);
      return [match[1]!, parseSetting(match[2]!)];
    }),
  );
}

function parseSetting(text: string): Setting {
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** `--rename old=new` pairs. */
export function parsePairs(flag: string, pairs: readonly string[]): [string, string][] {
  return pairs.map((pair) => {
    const split = pair.indexOf("=");
    if (split <= 0 || split === pair.length - 1)
      throw new CommandError(`${flag} expects OLD=NEW, found "${pair}"`, exitCodes.usage);
    return [pair.slice(0, split), pair.slice(split + 1)];
  });
}
