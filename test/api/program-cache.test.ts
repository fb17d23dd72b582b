import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isTrusted } from "../../codegen/trust.js";
import { describeTarget } from "../../runtime/cpu/target.js";
import { describeWebGpuTarget, webgpuTarget } from "../../runtime/webgpu/target.js";
import { cachedProgram } from "../../src/api/program-cache.js";
import { type Compiled, compile, nodeHost, programFor } from "../../src/index.js";
import { model, temporaryFolder } from "../cli/support.js";

const options = { purpose: { kind: "forward" }, batch: 2, target: describeTarget({ threads: 2 }) } as const;

const limits = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 1 << 28,
  maxBufferSize: 1 << 28,
  maxComputeWorkgroupStorageSize: 1 << 15,
};

describe("the cache of programs", () => {
  let compiled: Compiled;
  let folder: string;
  before(async () => {
    compiled = await compile(model("small"));
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  const cached = (entry = "predict", changes: object = {}, from = compiled) =>
    cachedProgram(from.model, from.sources, entry, { ...options, ...changes }, folder);
  const files = async (): Promise<string[]> => (await readdir(folder)).sort();

  it("gives the program that compiling gives, which a device trusts", async () => {
    const expected = programFor(compiled.model, compiled.sources, "predict", options);
    for (const program of [await cached(), await cached()]) {
      assert.deepEqual(program, expected);
      assert.ok(isTrusted(program));
    }
    assert.equal((await files()).length, 1);
  });

  it("has one program for each entry point, purpose, batch, target, setting and source", async () => {
    const changed = await compile(model("small"), { settings: { offset: 2 } });
    const host = nodeHost();
    const commented = await compile(model("small"), {
      host: { ...host, readText: async (path) => `${await host.readText(path)}\n# one more line\n` },
    });
    await cached();
    await cached("loss");
    await cached("predict", { purpose: { kind: "gradients", withRespectTo: ["weight"] } });
    await cached("predict", { batch: 3 });
    await cached("predict", { target: describeTarget({ threads: 1 }) });
    await cached("predict", { target: webgpuTarget });
    await cached("predict", { target: describeWebGpuTarget({ ...limits, maxStorageBuffersPerShaderStage: 10 }) });
    await cached("predict", {}, changed);
    await cached("predict", {}, commented);
    assert.equal((await files()).length, 9);
  });

  it("compiles again what was torn or changed", async () => {
    const expected = await cached();
    const [name] = await files();
    const path = join(folder, name!);
    const whole = await readFile(path, "utf8");
    for (const text of ["", whole.slice(0, whole.length / 2), whole.replace('"batch":2', '"batch":4'), "{}", "\n{}"]) {
      await writeFile(path, text);
      assert.deepEqual(await cached(), expected);
      assert.equal(await readFile(path, "utf8"), whole);
    }
  });

  it("does without a folder that cannot be written", async () => {
    const blocked = join(folder, "file");
    await writeFile(blocked, "");
    const program = await cachedProgram(compiled.model, compiled.sources, "predict", options, blocked);
    assert.deepEqual(program, programFor(compiled.model, compiled.sources, "predict", options));
  });

  it("takes nothing from a folder that every user can write to", async () => {
    const expected = await cached();
    const [name] = await files();
    const path = join(folder, name!);
    const body = JSON.stringify({ ...expected, kernels: [{ name: "planted", source: "int planted;" }] });
    await writeFile(path, `${createHash("sha256").update(body).digest("hex")}\n${body}`);
    await chmod(folder, 0o777);
    assert.deepEqual(await cached(), expected);
  });

  it("keeps a bounded number of programs, those last used", async () => {
    await cached();
    const [used] = await files();
    for (let number = 0; number < 300; number++)
      await writeFile(join(folder, `program-${String(number).padStart(32, "0")}.json`), "");
    await cached();
    await cached("loss");
    const left = await files();
    assert.equal(left.length, 256);
    assert.ok(left.includes(used!));
    await rm(folder, { recursive: true });
  });
});
