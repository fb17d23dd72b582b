/**
 * Packs everything that a machine with a GPU but without Node or a network needs to check Weft: Node itself, Dawn, koffi, the compiled
 * project with its tests, and the packages these import. `node scripts/gpu-check/pack.mjs` writes the folder .gpu-check; carry it over and run
 * `bash .gpu-check/run.sh` there.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = join(root, ".gpu-check");
const stage = join(folder, "weft");

/** What the tests and the command import when they run; the pictures of the example stay at home. */
const wanted = ["chevrotain", "cli-progress", "fast-check", "koffi", "mocha", "tar-fs", "webgpu", "yargs"];
const platform = "linux-x64";

rmSync(folder, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });

execFileSync("npx", ["tsc", "-p", "tsconfig.json", "--outDir", stage, "--rootDir", root], {
  cwd: root,
  stdio: "inherit",
});
for (const assets of [
  "dsl/std",
  "test/fixtures",
  "test/golden",
  "test/dsl/texts",
  "test/cli/models",
  "examples",
  "runtime/cpu/native",
]) {
  cpSync(join(root, assets), join(stage, assets), {
    recursive: true,
    filter: (source) => !/\.(ts|svg)$/.test(source),
  });
}
cpSync(join(root, "package.json"), join(stage, "package.json"));

const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;

/** Where a package that `from` (a path in the lock file) imports is installed. */
function installed(name, from) {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf("/node_modules/"), 0))) {
    const path = `${at === "" ? "" : `${at}/`}node_modules/${name}`;
    if (lock[path]) return path;
    if (at === "") return undefined;
  }
}

const packages = new Set();
function add(name, from) {
  const path = installed(name, from);
  if (path === undefined || packages.has(path)) return;
  packages.add(path);
  const { dependencies = {}, optionalDependencies = {} } = lock[path];
  for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) add(needed, path);
}
for (const name of wanted) add(name, "");
// koffi finds its binary among its optional packages, one a platform.
for (const path of packages) {
  if (/koffi-/.test(path) && !path.endsWith(platform)) continue;
  cpSync(join(root, path), join(stage, path), {
    recursive: true,
    filter: (source) =>
      !(source.includes("/webgpu/dist/") && !source.includes(platform)) && !/\.(d\.ts|map|md)$/.test(source),
  });
}

for (const name of ["run.sh", "time.py"]) cpSync(join(root, "scripts/gpu-check", name), join(folder, name));
execFileSync("tar", ["-C", folder, "-cJf", join(folder, "weft.tar.xz"), "weft"], { stdio: "inherit" });
rmSync(stage, { recursive: true });
execFileSync("bash", ["-c", `xz -T0 -3 -c "${process.execPath}" > "${join(folder, "node.xz")}"`], { stdio: "inherit" });
for (const name of ["weft.tar.xz", "node.xz"]) {
  console.log(`${name.padEnd(12)} ${(statSync(join(folder, name)).size / 2 ** 20).toFixed(1)} MiB`);
}
