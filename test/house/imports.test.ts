import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(root, path), "utf8");
      const imports = [
        ...text.matchAll(
          /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s*["']([^"']+)["']/g,
        ),
      ].map((match) => match[1] ?? match[2] ?? match[3]!);
      return { path, imports };
    });
}

/** The road a model travels; a file may import from its own room and from rooms before it. */
const road: readonly { readonly name: string; readonly holds: (path: string) => boolean }[] = [
  {
    name: "dsl/diagnostics, dsl/host.ts",
    holds: (path) => path.startsWith("dsl/diagnostics/") || path === "dsl/host.ts",
  },
  { name: "dsl/syntax", holds: (path) => path.startsWith("dsl/syntax/") },
  { name: "dsl", holds: (path) => path.startsWith("dsl/") },
  { name: "src", holds: (path) => path.startsWith("src/") && !isRoof(path) },
  { name: "codegen", holds: (path) => path.startsWith("codegen/") },
  { name: "runtime", holds: (path) => path.startsWith("runtime/") },
  { name: "the roof", holds: isRoof },
  { name: "examples", holds: (path) => path.startsWith("examples/") },
];

function isRoof(path: string): boolean {
  return path === "src/index.ts" || /^src\/(cli|api|server)\//.test(path);
}

const room = (path: string): number => road.findIndex(({ holds }) => holds(path));

/** Rooms that must run in a browser: no Node module, no file system. */
const withoutNode = (path: string): boolean =>
  !isRoof(path) &&
  (/^(dsl|src|codegen)\//.test(path) ||
    /^runtime\/(tensors|training|sampling|webgpu|reference)\//.test(path) ||
    /^runtime\/[^/]+\.ts$/.test(path));

describe("the house", () => {
  const files = ["dsl", "src", "codegen", "runtime", "examples"].flatMap(sourceFiles);

  it("has files to look at, and sees their imports", () => {
    assert.ok(files.length > 50);
    const builder = files.find(({ path }) => path === "src/graph/builder.ts");
    assert.ok(builder?.imports.includes("../primitives/registry.js"));
  });

  it("imports only back along the road: dsl, src, codegen, runtime, roof, examples", () => {
    const wrong: string[] = [];
    for (const { path, imports } of files) {
      for (const imported of imports) {
        if (!imported.startsWith(".")) continue;
        const target = relative(root, normalize(join(root, dirname(path), imported))).replace(/\.js$/, ".ts");
        const [from, to] = [room(path), room(target)];
        if (from === -1 || to === -1 || to > from)
          wrong.push(`${path} (${road[from]?.name}) imports ${target} (${road[to]?.name})`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it("keeps Node out of what must run in a browser", () => {
    const builtin = new Set(builtinModules);
    const wrong = files
      .filter(({ path }) => withoutNode(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter((name) => name.startsWith("node:") || builtin.has(name))
          .map((name) => `${path} imports ${name}`),
      );
    assert.deepEqual(wrong, []);
  });

  it("gives every folder and file a name that says what it holds", () => {
    const wrong = files
      .filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc)(\.|\/)/.test(path))
      .map(({ path }) => path);
    assert.deepEqual(wrong, []);
  });

  it("compiles for targets that are data: only src/target.ts names one", () => {
    const wrong = files
      .filter(({ path }) => path.startsWith("src/") && !isRoof(path) && path !== "src/target.ts")
      .filter(({ path }) => /\b(cpu|webgpu|wgsl|cuda)\b/i.test(readFileSync(join(root, path), "utf8")))
      .map(({ path }) => path);
    assert.deepEqual(wrong, []);
  });

  it("knows no particular interface: the word LoRA stands in no compiler or runtime file outside export code", () => {
    const wrong = ["src", "codegen", "runtime"]
      .flatMap(sourceFiles)
      .filter(({ path }) => !/runtime\/operators\/export/.test(path))
      .filter(({ path }) => /lora/i.test(readFileSync(join(root, path), "utf8")))
      .map(({ path }) => path);
    assert.deepEqual(wrong, []);
  });
});
