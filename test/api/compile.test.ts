import assert from "node:assert/strict";
import { compile, type Host, nodeHost, render, SourcesError, WeftError } from "../../src/index.js";
import { model } from "../cli/support.js";

/** Files in memory, and this machine's standard library. */
function memoryHost(files: Readonly<Record<string, string>>): Host {
  return {
    ...nodeHost(),
    async readText(path) {
      const text = files[path];
      if (text === undefined) throw new Error(`nothing called ${path}`);
      return text;
    },
    resolve: (_from, path) => path.replace(/^\.\//, ""),
  };
}

describe("compile", () => {
  it("builds a model with its settings filled in", async () => {
    const { model: built, sources, warnings } = await compile(model("mixed"), { settings: { dim: 4 } });
    assert.deepEqual([built.name, built.settings], ["Mixed", { dim: 4, rank: 2 }]);
    assert.deepEqual(warnings, []);
    assert.ok([...sources.keys()].includes("std/layers") && sources.has(model("mixed")));
    const { rows, columns, layers } = built.adaptations[0]!.grid;
    assert.deepEqual({ rows, columns, layers }, { rows: 2, columns: 4, layers: 2 });
    assert.deepEqual(
      built.entryPoint("loss").outputs.map(({ name, shape }) => [name, shape]),
      [["output", []]],
    );
  });

  it("reads through the host it is given, imports included", async () => {
    const host = memoryHost({
      "main.weft": 'import { twice } from "./twice.weft"\nmodel M() { fn f(x: [2]) -> [2] { twice(x) } }\n',
      "twice.weft": "fn twice(x: [2]) -> [2] { 2 * x }\n",
    });
    const { model: built, sources } = await compile("main.weft", { host });
    assert.deepEqual(built.entryPoints, ["f"]);
    assert.deepEqual([...sources.keys()], ["main.weft", "twice.weft"]);
    await assert.rejects(compile("other.weft", { host }), /^Error: nothing called other\.weft$/);
  });

  it("rejects with every message, and the texts that they speak of", async () => {
    const host = memoryHost({ "main.weft": "model M() { fn f(x: [2]) -> [2] { y + z } }\n" });
    await assert.rejects(compile("main.weft", { host }), (error: unknown) => {
      assert.ok(error instanceof SourcesError && error instanceof WeftError);
      assert.equal(error.diagnostics.length, 2);
      const text = render(error.diagnostics, error.sources, { color: false });
      assert.match(text, /main\.weft:1:35/);
      assert.match(text, /fn f\(x: \[2\]\)/);
      return true;
    });
  });

  it("rejects in the same way what is found only when the model is built", async () => {
    const host = memoryHost({ "main.weft": "model M(n: int = 3) { fn f(x: [n], y: [2]) -> [n] { x + y } }\n" });
    const { model: built } = await compile("main.weft", { host });
    assert.throws(() => built.entryPoint("f"), WeftError);
    await assert.rejects(compile("main.weft", { host, settings: { m: 1 } }), SourcesError);
    await assert.rejects(compile("main.weft", { host, model: "N" }), SourcesError);
  });
});
