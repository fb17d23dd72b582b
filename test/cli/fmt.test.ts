import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder, weft, weftProcess } from "./support.js";

const crooked = "model M(  dim:int=2 ){\nfn f(x:[dim])->[dim]{x+1}\n}";
const straight = "model M(dim: int = 2) {\n  fn f(x: [dim]) -> [dim] { x + 1 }\n}\n";
const broken = "model M( {\n";

describe("weft fmt", () => {
  let folder: string;
  const path = (name: string): string => join(folder, name);
  beforeEach(async () => {
    folder = await temporaryFolder();
    await writeFile(path("crooked.weft"), crooked);
    await writeFile(path("straight.weft"), straight);
    await writeFile(path("broken.weft"), broken);
  });
  const text = (name: string): Promise<string> => readFile(path(name), "utf8");

  it("formats files in place, and leaves alone what is formatted", async () => {
    const before = await stat(path("straight.weft"));
    assert.deepEqual(await weft("fmt", path("crooked.weft"), path("straight.weft")), {
      code: 0,
      stdout: "",
      stderr: "",
    });
    assert.deepEqual([await text("crooked.weft"), await text("straight.weft")], [straight, straight]);
    const { ino, mtimeMs } = await stat(path("straight.weft"));
    assert.deepEqual([ino, mtimeMs], [before.ino, before.mtimeMs]);
  });

  it("with --check changes nothing, and fails with the names of the files that are not formatted", async () => {
    const { code, stdout, stderr } = await weft("fmt", "--check", path("straight.weft"), path("crooked.weft"));
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.ok(stderr.includes(path("crooked.weft")) && !stderr.includes(path("straight.weft")), stderr);
    assert.equal(await text("crooked.weft"), crooked);
    assert.equal((await weft("fmt", "--check", path("straight.weft"))).code, 0);
  });

  it("shows syntax errors of every file, changes no broken one, and still formats the others", async () => {
    await writeFile(path("other.weft"), broken);
    const { code, stderr } = await weft("fmt", path("broken.weft"), path("crooked.weft"), path("other.weft"));
    assert.equal(code, 1);
    assert.match(stderr, /^error\[W\d+\]/);
    assert.ok(stderr.includes(path("broken.weft")) && stderr.includes(path("other.weft")), stderr);
    assert.deepEqual([await text("broken.weft"), await text("crooked.weft")], [broken, straight]);
  });

  it("reads - from stdin and writes it to stdout", async () => {
    const { code, stdout, stderr } = await weftProcess(["fmt", "-"], { input: crooked });
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: straight, stderr: "" });
    const unformatted = await weftProcess(["fmt", "--check", "-"], { input: crooked });
    assert.deepEqual([unformatted.code, unformatted.stdout], [1, ""]);
    const wrong = await weftProcess(["fmt", "-"], { input: broken });
    assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
    assert.match(wrong.stderr, /--> <stdin>:1:/);
  });
});
