import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeHost } from "../../src/cli/host.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("this machine's files", () => {
  const host = nodeHost();
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-host-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("are written with their folders, replaced, read, listed and removed", async () => {
    const path = join(folder, "a/b/file.bin");
    await host.writeBytes(path, bytes("one"));
    await host.writeBytes(path, bytes("second"));
    assert.equal(await host.readText(path), "second");
    assert.deepEqual(await host.readBytes(path), bytes("second"));
    await host.appendText(join(folder, "c/log"), "x");
    await host.appendText(join(folder, "c/log"), "y");
    assert.equal(await host.readText(join(folder, "c/log")), "xy");
    assert.deepEqual(await host.list(folder), ["a", "c"]);
    assert.deepEqual(await host.list(join(folder, "none")), []);
    assert.deepEqual(
      [await host.exists(path), await host.exists(join(path, "under")), await host.exists(join(folder, "none"))],
      [true, false, false],
    );
    await host.remove(join(folder, "a"));
    await host.remove(join(folder, "a"));
    assert.equal(await host.exists(path), false);
  });

  it("are named when they do not exist", async () => {
    const path = join(folder, "missing.weft");
    await assert.rejects(host.readText(path), (error: Error) => error.message.includes(path));
  });

  it("leave nothing behind when writing fails, and keep what was there", async () => {
    await host.writeBytes(join(folder, "taken/file"), bytes("kept"));
    await assert.rejects(host.writeBytes(join(folder, "taken"), bytes("lost")));
    assert.deepEqual(await readdir(folder), ["taken"]);
    assert.equal(await host.readText(join(folder, "taken/file")), "kept");
  });

  it("do not show, and in time lose, what a killed process was writing", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "close");
    await writeFile(join(folder, `.model.${child.pid}-0.partial`), "half");
    await writeFile(join(folder, `.model.${process.ppid}-0.partial`), "being written");
    assert.deepEqual(await host.list(folder), []);
    await host.writeBytes(join(folder, "other"), bytes("whole"));
    assert.deepEqual((await readdir(folder)).sort(), [`.model.${process.ppid}-0.partial`, "other"]);
  });

  it("hold the old bytes or the new ones, whole, whoever reads meanwhile", async () => {
    const path = join(folder, "file");
    const contents = ["a", "b"].map((letter) => bytes(letter.repeat(200_000)));
    await host.writeBytes(path, contents[0]!);
    let writing = true;
    const writer = (async () => {
      for (let turn = 0; turn < 10; turn++)
        await Promise.all(contents.map((content) => host.writeBytes(path, content)));
      writing = false;
    })();
    let reads = 0;
    while (writing) {
      const read = await readFile(path);
      assert.ok(
        contents.some((content) => content.length === read.length && read.every((byte) => byte === content[0])),
      );
      reads++;
    }
    await writer;
    assert.ok(reads > 3);
  });

  it("are found beside the file that names them", () => {
    assert.equal(host.resolve("models/editor.weft", "parts/block.weft"), "models/parts/block.weft");
    assert.equal(host.resolve("models/editor.weft", "../shared.weft"), "shared.weft");
    assert.equal(host.resolve("models/editor.weft", "/data/x.weft"), "/data/x.weft");
  });

  it("include the standard library, and nothing outside it", async () => {
    const names = (await readdir(new URL("../../dsl/std", import.meta.url))).filter((name) => name.endsWith(".weft"));
    assert.ok(names.length > 0);
    for (const name of names) {
      const text = await host.standardLibrary(`std/${name.slice(0, -".weft".length)}`);
      assert.equal(text, await readFile(new URL(`../../dsl/std/${name}`, import.meta.url), "utf8"));
    }
    for (const name of ["std/none", "std/../../package", "layers", "std/layers.weft", "std//layers", "../std/layers"]) {
      assert.equal(await host.standardLibrary(name), undefined, name);
    }
  });

  it("come with a clock that runs in seconds", async () => {
    const start = host.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const passed = host.now() - start;
    assert.ok(passed > 0.02 && passed < 5, `${passed}`);
  });
});
