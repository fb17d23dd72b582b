import { readFileSync } from "node:fs";
import { rename } from "../../src/api/names.js";

/** Pairs of a published name and the path of a model whose generator is the field `generator`; `*` is a layer's number. */
export const publishedNames = Object.entries(
  JSON.parse(readFileSync(new URL("../../dsl/std/published-names.json", import.meta.url), "utf8")) as Record<
    string,
    string
  >,
);

/** The published name of a stored tensor of the generator: `generator.blocks.3.norm1.gain` is `model.blocks.3.norm1.weight`. */
export const publishedName = (path: string): string =>
  rename(
    path,
    publishedNames.map(([published, own]) => [own, published] as const),
  );
