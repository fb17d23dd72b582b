import { strict as assert } from "node:assert";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildMessages } from "../../dsl/diagnostics/messages/build.js";
import { render } from "../../dsl/diagnostics/render.js";
import type { BuildOptions } from "../../src/build/build.js";
import { diagnosticsOf, sourcesOf } from "./support.js";

const folder = join(import.meta.dirname, "..", "golden", "messages");

/** Compares with the golden file; WEFT_GOLDEN=write replaces it. */
function assertGolden(name: string, text: string): void {
  const path = join(folder, name);
  if (process.env.WEFT_GOLDEN === "write") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"));
}

/** Messages about settings need some. */
const options: Readonly<Record<string, BuildOptions>> = {
  [buildMessages.unknownSetting.code]: { settings: { width: 3 } },
  [buildMessages.badSetting.code]: { settings: { dim: 2.5 } },
  [buildMessages.unknownInterface.code]: { settings: { change: "Shfit(2.0)" } },
  [buildMessages.settingNotLiteral.code]: { settings: { change: "Shift(by: 2 * 3.0)" } },
};

const rendered = async (text: string, given: BuildOptions = {}): Promise<string> =>
  render(await diagnosticsOf(text, given), await sourcesOf(text), { color: false });

describe("messages of build", () => {
  for (const message of Object.values(buildMessages)) {
    it(`${message.code} is caused by its example, alone`, async () => {
      const found = await diagnosticsOf(message.example, options[message.code]);
      assert.deepEqual(
        found.map(({ code }) => code),
        [message.code],
        found.map((diagnostic) => diagnostic.message).join("\n"),
      );
    });
  }

  it("read as people should read them", async () => {
    const texts: string[] = [];
    for (const message of Object.values(buildMessages)) {
      texts.push(await rendered(message.example, options[message.code]));
    }
    assertGolden("build.txt", texts.join("\n"));
  });

  it("tell the chain of module instances that led to a shape deep inside", async () => {
    const text = `import { Attention, MLP, RMSNorm } from "std/layers"

module Block(dim: int, context: int) {
  norm = RMSNorm(dim)
  attn = Attention(dim, heads: 2, context_dim: context)
  mlp  = MLP(dim)

  forward(x: [n, dim], c: [m, context]) -> [n, dim] {
    let y = x + attn(norm(x), c)
    y + mlp(c)
  }
}

module Net(dim: int) {
  blocks = [Block(dim, dim + 4)] * 2
  forward(x: [n, dim], c: [m, dim + 4]) -> [n, dim] {
    for block in blocks { x = block(x, c) }
    x
  }
}

model M() {
  net = Net(8)
  fn f(x: [3, 8], c: [5, 12]) -> [3, 8] { net(x, c) }
}
`;
    assertGolden("deep-shape.txt", await rendered(text));
  });

  it("report several mistakes of one model at once", async () => {
    const text = `import { Linear } from "std/layers"

model M(dim: int = 7) {
  assert dim > 10, "dim is too small"
  half  = Linear(dim / 2, dim)
  other = [half]
  whole = Linear(dim, dim + 0.5)

  fn f(x: [7]) -> [7] { x }
}
`;
    const found = await diagnosticsOf(text);
    assert.deepEqual(
      found.map(({ message }) => message),
      ["dim is too small", "7 / 2 is not a whole number", "`out_features` must be an int, but it is the number 7.5"],
    );
  });

  it("report what is wrong with each entry point", async () => {
    const text = `model M() {
  fn f(x: [3, 4]) -> [3, 4] { x @ x }
  fn g(x: [3, 4]) -> [3, 4] { x + x[:2] }
}
`;
    const found = await diagnosticsOf(text);
    assert.deepEqual(
      found.map(({ code }) => code),
      [buildMessages.matmulShapes.code, buildMessages.notBroadcastable.code],
    );
  });
});
