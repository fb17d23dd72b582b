import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildComplaints, builtPackage, root, temporaryFolder } from "./support.js";

const run = promisify(execFile);

describe("the package", () => {
  it("is built with a command that runs, from a folder of any name", async () => {
    assert.equal(await buildComplaints(), "");
    const folder = await builtPackage();
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    const main = join(folder, "dist/src/cli/main.js");
    assert.equal((await run(process.execPath, [main, "--version"])).stdout, `${version}\n`);
    const first = (await readFile(main, "utf8")).split("\n")[0];
    assert.equal(first, "#!/usr/bin/env node");
  });

  it("holds what runs, the standard library and the C runtime, and nothing else", async () => {
    const folder = await builtPackage();
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: folder });
    const [packed] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }];
    const paths = packed.files.map(({ path }) => path);
    const allowed = [
      /^(package\.json|README\.md)$/,
      /^dist\/(dsl|src|codegen|runtime)\/[\w/-]+\.(js|js\.map|d\.ts)$/,
      /^dist\/dsl\/std\/(\w+\.weft|published-names\.json)$/,
      /^dist\/runtime\/cpu\/native\/[\w-]+\.[ch]$/,
    ];
    assert.deepEqual(
      paths.filter((path) => !allowed.some((pattern) => pattern.test(path))),
      [],
    );
    const expected = [
      ...(await readdir(join(root, "dsl/std"))).map((name) => `dist/dsl/std/${name}`),
      ...(await readdir(join(root, "runtime/cpu/native"))).map((name) => `dist/runtime/cpu/native/${name}`),
      "dist/src/index.js",
      "dist/src/index.d.ts",
      "dist/src/cli/main.js",
    ];
    assert.deepEqual(
      expected.filter((path) => !paths.includes(path)),
      [],
    );
  });

  it("is installed from its tarball and used by another project, with its types", async () => {
    const folder = await builtPackage();
    const project = await temporaryFolder();
    const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
      cwd: folder,
    });
    const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
    // As npm lays it out, without the network: the package unpacked, its dependencies beside it.
    const modules = join(project, "node_modules");
    await mkdir(join(modules, "weft-lang"), { recursive: true });
    await run("tar", ["-xzf", join(project, filename), "-C", join(modules, "weft-lang"), "--strip-components", "1"]);
    for (const name of await readdir(join(root, "node_modules")))
      if (!name.startsWith(".")) await symlink(join(root, "node_modules", name), join(modules, name));

    await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(
      join(project, "scale.weft"),
      'import { Linear } from "std/layers"\n\nmodel Scale(factor: float = 2.0) {\n  layer = Linear(2, 2)\n\n  fn apply(x: [2]) -> [2] { factor * layer(x) }\n}\n',
    );
    await writeFile(
      join(project, "main.ts"),
      `import { compile, openDevice, runEntry, tensor } from "weft-lang";

const compiled = await compile("scale.weft", { settings: { factor: 3 } });
const open = await openDevice("reference");
const outputs = await runEntry(compiled, open, {
  entry: "apply",
  parameters: new Map([
    ["layer.weight", tensor("f32", [2, 2], Float32Array.of(1, 2, 3, 4))],
    ["layer.bias", tensor("f32", [2], Float32Array.of(0, 10))],
  ]),
  inputs: new Map([["x", tensor("f32", [2], Float32Array.of(1, 1))]]),
});
const values: ArrayLike<number> = outputs.get("output")!.data;
console.log(compiled.model.name, Array.from(values).join(" "));
await open.device.close();
`,
    );
    const options = { target: "ES2023", module: "NodeNext", strict: true, types: ["node"], skipLibCheck: false };
    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["main.ts"] }));
    const tsc = join(root, "node_modules/.bin/tsc");
    const checked = await run(tsc, ["-p", project], { cwd: project }).catch((error: { stdout: string }) => error);
    assert.equal(checked.stdout, "");
    const result = await run(process.execPath, ["main.js"], { cwd: project });
    assert.equal(result.stdout, "Scale 9 51\n");
  });
});
