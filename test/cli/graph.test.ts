import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseGraph } from "../../src/graph/text.js";
import { model, temporaryFolder, weft } from "./support.js";

const passes = ["traced", "batched", "differentiated", "optimised", "fused"];

/** Fails unless every element that is opened is closed, in order. */
function assertNested(markup: string): void {
  const open: string[] = [];
  const body = markup.replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\w[^>]*>/g, "");
  for (const [, closing, name, rest] of body.matchAll(/<(\/?)([\w:]+)((?:[^<>"]|"[^"]*")*)>/g)) {
    if (closing) assert.equal(name, open.pop());
    else if (!rest!.endsWith("/") && name !== "meta") open.push(name!);
  }
  assert.deepEqual(open, []);
  // No bare < is left between the elements.
  assert.doesNotMatch(body.replace(/<\/?[\w:]+(?:[^<>"]|"[^"]*")*>/g, ""), /</);
}

describe("weft graph", () => {
  const graph = (...flags: readonly string[]) => weft("graph", model("small"), "loss", ...flags);

  for (const pass of passes) {
    it(`shows the graph after ${pass} as text that is the same every time, and as pictures`, async () => {
      const { code, stdout, stderr } = await graph("--after", pass);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.equal((await graph("--after", pass)).stdout, stdout);
      if (pass === "fused") assert.match(stdout, /contraction|reduction|elementwise/);
      else assert.ok(parseGraph(stdout).nodes.length > 3);
      for (const name of ["weight", "output"]) assert.ok(stdout.includes(name), name);

      const svg = (await graph("--after", pass, "--format", "svg")).stdout;
      assert.match(svg, /<svg [^>]*>[\s\S]*<\/svg>\s*$/);
      assertNested(svg);
      const html = (await graph("--after", pass, "--format", "html")).stdout;
      assert.match(html, /^<!doctype html>[\s\S]*<svg [\s\S]*<\/svg>[\s\S]*<\/html>\s*$/);
      assertNested(html);
      for (const picture of [svg, html]) {
        if (pass === "fused") assert.match(picture, /contraction|reduction/);
        else
          for (const name of ["parameter weight", "input x", "input y", "output"])
            assert.ok(picture.includes(name), name);
      }
    });
  }

  it("has gradients after differentiated, and elsewhere when asked for", async () => {
    const plain = (await graph("--after", "optimised")).stdout;
    const both = (await graph("--after", "optimised", "--gradients")).stdout;
    const differentiated = (await graph("--after", "differentiated")).stdout;
    assert.deepEqual(
      [plain, both, differentiated].map((text) => text.includes("gradient:weight")),
      [false, true, true],
    );
  });

  it("shows as many instances as asked for", async () => {
    const sizes = async (batch: string) =>
      parseGraph((await graph("--after", "batched", "--batch", batch)).stdout).nodes.flatMap((node) =>
        node.primitive === "input" ? [node.attributes.shape[0]] : [],
      );
    assert.deepEqual(await sizes("5"), [5, 5]);
  });

  it("writes to a file instead of stdout", async () => {
    const path = join(await temporaryFolder(), "pictures", "graph.svg");
    assert.deepEqual(await graph("--format", "svg", "--out", path), { code: 0, stdout: "", stderr: "" });
    assert.equal(`${await readFile(path, "utf8")}`.trim(), (await graph("--format", "svg")).stdout.trim());
  });

  it("knows the entry points", async () => {
    const { code, stderr } = await weft("graph", model("small"), "lose");
    assert.equal(code, 2);
    assert.match(stderr, /model Small has no entry point "lose"; it has predict, loss/);
  });

  it("shows the kernels of a device that is not there", async () => {
    for (const device of ["webgpu", "cpu", "reference"]) {
      const { code, stdout, stderr } = await graph("--after", "fused", "--device", device);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /^kernel 0: /m);
    }
  });

  it("says which line makes a tensor that a device cannot bind", async () => {
    const path = join(await temporaryFolder(), "wide.weft");
    await writeFile(path, "model Wide() {\n  fn f(x: [4096, 2]) -> [4096, 2] {\n    (x @ x.T) @ x\n  }\n}\n");
    const wide = (...flags: readonly string[]) => weft("graph", path, "f", "--after", "fused", ...flags);
    assert.equal((await wide("--device", "webgpu")).code, 0);
    assert.equal((await wide("--device", "cpu", "--batch", "4")).code, 0);
    const { code, stdout, stderr } = await wide("--device", "webgpu", "--batch", "4");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(
      stderr,
      /error\[W500\]: a tensor that is computed here takes 256 MiB, but webgpu binds 128 MiB at most/,
    );
    assert.match(stderr, /wide\.weft:3:5\n/);
    assert.match(stderr, /smaller batch \(it is 4\)/);
  });

  it("draws a generator with the modules it is made of", async () => {
    const { code, stdout } = await weft("graph", model("mixed"), "loss", "--format", "svg");
    assert.equal(code, 0);
    assertNested(stdout);
    for (const path of ["layers.0.mlp.up", "generator.blocks.0"]) assert.ok(stdout.includes(path), path);
  });
});
