import assert from "node:assert/strict";
import { build, diagnosticsOf, run } from "./support.js";

const text = (keys: string, more = ""): string => `
import { Linear } from "std/layers"

model M() {
  map    = Linear(2, 2)
  reader = Linear(3, 4)

  fn code(hint: [3]) -> [4] { reader(hint) }
  fn velocity(x: [2], t: [], code: [4], words: int[..3]) -> [2] { map(x) * t + sum(code) + sum(float(words.mask)) }
  fn blind(z: [2], time: []) -> [2] { -z * time }
  fn still(x: [2], t: []) -> [2] { x }
${more}
  sample draw { ${keys} }
}
`;

const guided = "once: code, step: velocity, unguided: blind, solver: euler(steps: 4), guidance: 2.5";

describe("sample blocks", () => {
  it("say what runs once, what runs for each step, and how", async () => {
    const { samplings } = await build(
      text(
        `${guided}, after: fit`,
        "  fn loss(x: [2]) -> [] { sum(map(x)) }\n  train fit on loss { update: map, optimizer: sgd(0.1) }",
      ),
    );
    const [{ span: _, ...sampling }] = samplings as [(typeof samplings)[number]];
    assert.deepEqual(sampling, {
      name: "draw",
      once: ["code"],
      step: "velocity",
      unguided: "blind",
      solver: { kind: "euler", steps: 4 },
      guidance: 2.5,
      after: "fit",
    });
  });

  it("are one step of their solver as an entry point", async () => {
    const model = await build(text(guided));
    const step = model.entryPoint("draw");
    assert.deepEqual(
      step.inputs.map(({ name, shape, perInstance }) => [name, shape, perInstance]),
      [
        ["x", [2], true],
        ["t", [], false],
        ["solver.step", [], false],
        ["solver.guidance", [], false],
        ["code", [4], true],
        ["words", [3], true],
        ["words.mask", [3], true],
      ],
    );
    const stored = { "map.weight": [1, 0, 0, 1], "map.bias": [0, 1] };
    const inputs = { x: [2, -1], t: [0.5], "solver.step": [0.25], "solver.guidance": [2], code: [1, 0, 1, 0] };
    const plain = { ...inputs, words: [1, 2, 0], "words.mask": [1, 1, 0] };
    // Guided: (1, 0) + 4; unguided: (-1, 0.5).
    const velocity = [-1 + 2 * (5 - -1), 0.5 + 2 * (4 - 0.5)];
    assert.deepEqual(run(model, "draw", plain, stored).output, [2 + 0.25 * velocity[0]!, -1 + 0.25 * velocity[1]!]);
    assert.ok(!model.entryPoints.includes("draw"));
  });

  it("need no guidance and nothing that runs once", async () => {
    const model = await build(text("step: still, solver: euler(steps: 1)"));
    assert.deepEqual(run(model, "draw", { x: [1, 2], "solver.step": [1] }).output, [2, 4]);
  });

  const refused: Readonly<Record<string, string>> = {
    "solver: euler(steps: 4)": "W388 `draw` does not say its `step`",
    "step: still": "W388 `draw` does not say its `solver`",
    "step: still, solver: euler(steps: 0)": "W319 `steps` must be an int of at least 1, but it is the number 0",
    "step: still, solver: euler(steps: 4), guidance: none": "W389 `guidance` must be a number, but it is none",
    "step: still, unguided: blind, solver: euler(steps: 4)": "W413 `draw` says `unguided`, but not `guidance`",
    "step: code, solver: euler(steps: 4)": "W410 code cannot be a step of `draw`: it has no two parameters",
    "step: swapped, solver: euler(steps: 4)":
      "W410 swapped cannot be a step of `draw`: its second parameter `x` is [2], not the time `[]`",
    "step: wide, solver: euler(steps: 4)":
      "W410 wide cannot be a step of `draw`: it gives [4], but the state `x` is [2]",
    "step: shifted, solver: euler(steps: 4)":
      "W410 shifted cannot be a step of `draw`: its first parameter `x` is shared [2], not a state of floats",
    "step: still, once: code, solver: euler(steps: 4)": "W411 `draw` runs code once, but no step takes what it gives",
    "step: velocity, once: [code, words], solver: euler(steps: 4)":
      "W412 `words` is int[3] for the result of words, but int[..3] for velocity",
    "step: velocity, once: code, unguided: other, guidance: 2, solver: euler(steps: 4)":
      "W412 `code` is [4] for the result of code, but [5] for other",
  };
  const others = `
  fn swapped(t: [], x: [2]) -> [2] { t * x }
  fn wide(x: [2], t: []) -> [4] { concat([x, x]) }
  fn shifted(shared x: [2], t: []) -> [2] { x }
  fn words(hint: [3]) -> int[3] { int(hint) }
  fn other(x: [2], t: [], code: [5]) -> [2] { x + sum(code) }
`;
  for (const [keys, message] of Object.entries(refused)) {
    it(`refuse ${keys}`, async () => {
      const found = await diagnosticsOf(text(keys, others));
      assert.deepEqual(
        found.map(({ code, message }) => `${code} ${message}`),
        [message],
      );
    });
  }
});
