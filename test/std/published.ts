import { readFileSync } from "node:fs";

const maps = JSON.parse(readFileSync(new URL("../../dsl/std/published-names.json", import.meta.url), "utf8")) as {
  readonly NNT: Readonly<Record<string, string>>;
};

/** The published name of a stored tensor of the generator: `generator.blocks.3.norm1.gain` is `model.blocks.3.norm1.weight`. */
export function publishedName(path: string): string {
  const own = path.replace(/^generator\./, "");
  for (const [pattern, published] of Object.entries(maps.NNT)) {
    const match = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "(\\d+)")}$`).exec(own);
    if (match) return published.replace("*", match[1] ?? "");
  }
  return path;
}
