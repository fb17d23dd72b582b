import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cPrelude } from "../../codegen/c/prelude.js";
import { LibraryCache } from "../../runtime/cpu/cache.js";
import { Compiler } from "../../runtime/cpu/compiler.js";
import { createCpuDevice } from "../../runtime/cpu/device.js";
import { findToolchain } from "../../runtime/cpu/toolchain.js";
import { temporaryFolder } from "./open-device.js";
import { programs } from "./programs.js";

const empty = (name: string, extra = "") => ({
  name,
  source: `void ${name}(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {${extra}}`,
});

describe("the compiler of C kernels", function () {
  this.timeout(60_000);
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  const open = async () => new Compiler(await findToolchain(), new LibraryCache(folder.path));

  it("compiles a kernel once, in whatever company it comes again", async () => {
    const compiler = await open();
    const first = await compiler.kernels([empty("one"), empty("two")], cPrelude);
    assert.deepEqual([first.compiled, first.reused], [2, 0]);
    const second = await (await open()).kernels([empty("two"), empty("three")], cPrelude);
    assert.deepEqual([second.compiled, second.reused], [1, 1]);
    assert.ok(first.libraries.includes(second.libraries[0]!));
    const changed = await compiler.kernels([empty("two", " (void)begin; ")], cPrelude);
    assert.deepEqual([changed.compiled, changed.reused], [1, 0]);
  });

  it("leaves nothing unfinished in the cache", async () => {
    const compiler = await open();
    await compiler.kernels([empty("one")], cPrelude);
    await assert.rejects(compiler.kernels([empty("broken", " return 1 +; ")], cPrelude));
    const names = readdirSync(folder.path);
    assert.deepEqual(
      names.filter((name) => name.startsWith(".")),
      [],
    );
    assert.equal(names.length, 2);
  });

  it("shows the compiler's own words when it refuses a kernel", async () => {
    const compiler = await open();
    await assert.rejects(compiler.kernels([empty("broken", " unknown_name(begin) +; ")], cPrelude), (error: Error) => {
      assert.match(error.message, /refused generated code/);
      assert.match(error.message, /unknown_name/);
      return true;
    });
  });

  it("refuses a folder that every user can write to, and makes its own for this user alone", async () => {
    const made = join(folder.path, "deeper", "cache");
    await new Compiler(await findToolchain(), new LibraryCache(made)).kernels([empty("one")], cPrelude);
    assert.equal(statSync(made).mode & 0o077, 0);
    chmodSync(made, 0o777);
    await assert.rejects(createCpuDevice({ threads: 1, cache: made }), /Every user .* can write to the cache folder/);
  });

  it("finds libraries in a folder that is named relative to the current one", async () => {
    const device = await createCpuDevice({ threads: 1, cache: relative(process.cwd(), folder.path) });
    assert.ok(isAbsolute(new LibraryCache(".").path("library.so")));
    await device.close();
  });

  it("lets processes fill one cache at the same time", async () => {
    const script = join(folder.path, "load.ts");
    const root = fileURLToPath(new URL("../../", import.meta.url));
    writeFileSync(
      script,
      `import { createCpuDevice } from ${JSON.stringify(join(root, "runtime/cpu/device.ts"))};
import { programs } from ${JSON.stringify(join(root, "test/cpu/programs.ts"))};
const run = async () => {
  const device = await createCpuDevice({ threads: 1 });
  const executable = await device.load(programs.sum());
  const { y } = await executable.submit({ x: Float32Array.of(1, 2, 3, 4), z: Float32Array.of(1, 1, 1, 1) }).read(["y"]);
  console.log(y.join(" "));
  await device.close();
};
run();
`,
    );
    const environment = { ...process.env, WEFT_CACHE: join(folder.path, "cache") };
    const runs = [1, 2].map(() =>
      promisify(execFile)(process.execPath, ["--import", "tsx", script], { env: environment, cwd: root }),
    );
    for (const { stdout } of await Promise.all(runs)) assert.equal(stdout.trim(), "2 3 4 5");
    assert.deepEqual(
      readdirSync(environment.WEFT_CACHE).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("takes kernels from the cache on the second load", async () => {
    const lines: string[] = [];
    for (const expected of [/1 \(1 compiled, 0 from the cache\)/, /1 \(0 compiled, 1 from the cache\)/]) {
      lines.length = 0;
      const device = await createCpuDevice({ threads: 1, cache: folder.path, log: (line) => lines.push(line) });
      const executable = await device.load(programs.sum());
      assert.match(lines.join("\n"), expected);
      executable.free();
      await device.close();
    }
  });

  it("says which package to install when there is no compiler", async () => {
    const nowhere = { PATH: folder.path };
    await assert.rejects(createCpuDevice({ environment: nowhere }), (error: Error) => {
      assert.match(error.message, /cc: /);
      assert.match(error.message, /apt install gcc/);
      assert.match(error.message, /dnf install gcc/);
      assert.match(error.message, /xcode-select --install/);
      return true;
    });
  });

  it("takes the compiler that CC names, and says when that one does not work", async () => {
    const broken = join(folder.path, "bin", "broken-cc");
    mkdirSync(join(folder.path, "bin"));
    writeFileSync(
      broken,
      "#!/bin/sh\ncase $1 in --version) echo broken 1.0;; *) echo 'fatal: no headers' >&2; exit 1;; esac\n",
    );
    chmodSync(broken, 0o755);
    await assert.rejects(findToolchain({ ...process.env, CC: broken }), /broken-cc: fatal: no headers/);
    const named = await findToolchain({ ...process.env, CC: "cc -DWEFT_TEST" });
    assert.equal(named.command, "cc");
    assert.ok(named.flags.includes("-DWEFT_TEST"));
  });
});
