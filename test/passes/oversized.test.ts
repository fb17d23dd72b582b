import assert from "node:assert/strict";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { compileMessages } from "../../dsl/diagnostics/messages/compile.js";
import { render } from "../../dsl/diagnostics/render.js";
import { parameterLayout, rangesOf } from "../../src/build/parameter-layout.js";
import { type CompileOptions, lower } from "../../src/compile.js";
import { build, sourcesOf } from "../build/support.js";
import { anyTarget } from "../kernels/against-interpreter.js";

const binding = (bytesPerBinding: number) => ({
  ...anyTarget,
  name: "small",
  limits: { ...anyTarget.limits, bytesPerBinding },
});

async function refusal(text: string, limit: number, options: Partial<CompileOptions> = {}): Promise<WeftError> {
  const model = await build(text);
  try {
    lower(model, "f", { purpose: { kind: "forward" }, target: binding(limit), batch: 1, ...options });
  } catch (error) {
    assert.ok(error instanceof WeftError, `${error}`);
    return error;
  }
  assert.fail("nothing was refused");
}

describe("tensors that a target cannot bind at once", () => {
  for (const message of Object.values(compileMessages)) {
    it(`${message.code} is caused by its example, alone`, async () => {
      const { diagnostics } = await refusal(message.example, 256, { batch: 2 });
      assert.deepEqual(
        diagnostics.map(({ code }) => code),
        [message.code],
      );
    });
  }

  const nested = `module Similar() {
  forward(x: [n, d]) -> [n, d] {
    let scores = x @ x.T
    scores @ x
  }
}

model M() {
  similar = Similar()
  fn f(x: [16, 4]) -> [16, 4] { similar(x) }
}
`;

  it("are shown with the line that makes them, their size, the limit and what helps", async () => {
    const error = await refusal(nested, 1024, { batch: 3 });
    const text = render(error.diagnostics, await sourcesOf(nested), { color: false });
    const message = "a tensor that `similar` computes here takes 3 KiB, but small binds 1 KiB at most at once";
    assert.ok(text.startsWith(`error[W500]: ${message}\n`), text);
    assert.match(text, /^3 .*let scores = x @ x\.T\n.*\^\^\^\^\^\^\^/m);
    assert.match(text, /help: Use a smaller batch \(it is 3\), or run it on another device\./);
  });

  it("are no trouble where they fit", async () => {
    const model = await build(nested);
    const { plan } = lower(model, "f", { purpose: { kind: "forward" }, target: binding(1024), batch: 1 });
    assert.equal(plan.pieceBytes, 1024);
  });

  it("may be parameters, inputs and outputs, which are told by name", async () => {
    const text =
      "model M() {\n  wide = param [200] = ones()\n".replace("wide = param", "param wide:") +
      "  fn f(x: [100]) -> [200] { sum(x) * wide }\n}\n";
    const told = async (limit: number, batch: number) =>
      (await refusal(text, limit, { batch })).diagnostics.map(({ message, help }) => `${message}. ${help}`);
    assert.deepEqual(await told(512, 1), [
      "parameter `wide` takes 800 bytes, but small binds 512 bytes at most at once. Make it smaller, or run it on another device.",
    ]);
    assert.deepEqual(await told(1024, 4), [
      "output `output` takes 3.1 KiB, but small binds 1 KiB at most at once. Use a smaller batch (it is 4), or run it on another device.",
      "input `x` takes 1.6 KiB, but small binds 1 KiB at most at once. Use a smaller batch (it is 4), or run it on another device.",
    ]);
  });
});

describe("stretches of parameters that an optimiser goes over", () => {
  const span = { file: "model.weft", start: 0, end: 0 };
  const layout = parameterLayout(
    [64, 100, 10, 64, 128].map((size, place) => ({
      path: `p${place}`,
      dtype: "f32" as const,
      shape: [size],
      initializer: { kind: "zeros" as const },
      storage: "param" as const,
      span,
    })),
  );
  const chosen = (...places: readonly number[]) => new Set(places.map((place) => `p${place}`));

  it("join neighbours", () => {
    assert.deepEqual(rangesOf(layout, chosen(0, 1, 3)), [
      { offset: 0, elements: 164 },
      { offset: 256, elements: 64 },
    ]);
  });

  it("end where a target that binds little cuts the parameters", () => {
    assert.deepEqual(rangesOf(layout, chosen(0, 1, 2, 3, 4), 1024), [
      { offset: 0, elements: 202 },
      { offset: 256, elements: 192 },
    ]);
    assert.deepEqual(rangesOf(layout, chosen(0, 1, 2, 3, 4), 512), [
      { offset: 0, elements: 64 },
      { offset: 64, elements: 100 },
      { offset: 192, elements: 128 },
      { offset: 320, elements: 128 },
    ]);
  });
});
