/** Names of tensors in files against paths in a model: renames, patterns, and what is missing or left over. */

/** A `*` stands for one part of a path (between dots) and is carried over to the new name in order. */
export function rename(name: string, pairs: readonly (readonly [string, string])[]): string {
  for (const [from, to] of pairs) {
    const pattern = new RegExp(`^${from.split("*").map(escapePattern).join("([^.]+)")}$`);
    const match = pattern.exec(name);
    if (!match) continue;
    let part = 0;
    return to.replaceAll("*", () => match[++part] ?? "*");
  }
  return name;
}

const escapePattern = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");

/** Throws an Error that lists names which are wanted but not given, and given but not wanted. */
export function compareNames(what: string, wanted: Iterable<string>, given: Iterable<string>): void {
  const wantedNames = new Set(wanted);
  const givenNames = new Set(given);
  const missing = [...wantedNames].filter((name) => !givenNames.has(name));
  const surplus = [...givenNames].filter((name) => !wantedNames.has(name));
  if (missing.length === 0 && surplus.length === 0) return;
  throw new Error(
    [`the ${what} do not fit:`, ...list("missing", missing), ...list("not in the model", surplus)].join("\n"),
  );
}

const shown = 20;

function list(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [
    `  ${title}: ${names.slice(0, shown).join(", ")}${names.length > shown ? ` and ${names.length - shown} more` : ""}`,
  ];
}
