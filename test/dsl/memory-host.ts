import type { SourceHost } from "../../dsl/check/check.js";

const layers = `module Linear(in_features: int, out_features: int, bias: bool = true) {
  param weight: [out_features, in_features] = kaiming()
  if bias { param bias: [out_features] = zeros() }
  forward(x: [..., in_features]) -> [..., out_features] { if bias { x @ weight.T + bias } else { x @ weight.T } }
}
`;

/** A host whose files are texts; paths are names in one folder. */
export function memoryHost(
  files: Readonly<Record<string, string>>,
  standard: Readonly<Record<string, string>> = {},
): SourceHost {
  const library: Readonly<Record<string, string>> = { "std/layers": layers, ...standard };
  return {
    readText: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no file ${path}`);
      return text;
    },
    resolve: (_from, path) => path.replace("./", ""),
    standardLibrary: async (name) => library[name],
  };
}
