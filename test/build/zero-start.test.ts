import { strict as assert } from "node:assert";
import { examineStarts, startErrors } from "../../src/build/zero-start.js";
import { build, evaluateLeaves } from "./support.js";

const examine = async (members: string, on = "Linear(4, 3)") => {
  const model = await build(
    `import { Linear, Attention } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"
interface Own() on Linear, Attention {
${members}
}
model M() {
  layers = [${on}] * 3
  memory = adapt layers[*] with ${members === "" ? "LoRA(rank: 2)" : "Own()"} as Flat(${members === "" ? 2 : 1}, 2)
  fn f(x: [2]) -> [2] { x }
}
`.replace(/interface Own\(\) on Linear, Attention \{\n\n\}\n/, ""),
  );
  const reports = examineStarts(model, evaluateLeaves);
  return { reports, errors: startErrors(model, reports) };
};

describe("the start of an interface", () => {
  it("is proven to equal the base for LoRA, once for all equal sites", async () => {
    const { reports, errors } = await examine("");
    assert.deepEqual(reports, [
      {
        adaptation: "memory",
        interface: "LoRA",
        site: "layers.0",
        sites: 3,
        method: "forward",
        result: "proven by substitution",
      },
    ]);
    assert.deepEqual(errors, []);
  });

  it("is proven for factors that start at one and replaced weights that start as stored", async () => {
    const scale = await examine("  slot gain: [base.out_features] = constant(1)\n  forward(x) { base(x) * gain }");
    assert.equal(scale.reports[0]!.result, "proven by substitution");
    const weights = await examine(
      "  slot d: [base.out_features, base.in_features] = zeros()\n  forward(x) { (base with { weight: base.weight * (1 + d) })(x) }",
    );
    assert.equal(weights.reports[0]!.result, "proven by substitution");
  });

  it("is checked on numbers where algebra does not reach", async () => {
    const { reports } = await examine(
      "  slot turn: [base.out_features] = zeros()\n  forward(x) { base(x) * (sqrt(square(cos(turn)) + square(sin(turn))) + 0 * x[0]) }",
    );
    assert.ok(["proven by substitution", "checked numerically"].includes(reports[0]!.result));
    const unproven = await examine(
      "  slot turn: [base.out_features] = normal(1.0)\n  forward(x) { base(x) * (square(cos(turn)) + square(sin(turn))) }",
    );
    assert.equal(unproven.reports[0]!.result, "checked numerically");
    assert.ok(unproven.reports[0]!.difference! < 1e-12);
  });

  it("is reported when it changes the base, unless the interface says so", async () => {
    const members = "  slot offset: [base.out_features] = constant(0.5)\n  forward(x) { base(x) + offset }";
    const { reports, errors } = await examine(members);
    assert.equal(reports[0]!.result, "changed");
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["W372"],
    );
    assert.deepEqual((await examine(`  starts = "changed"\n${members}`)).errors, []);
  });

  it("is compared on numbers that differ from slot to argument, so that no coincidence passes for a proof", async () => {
    const { reports } = await examine(
      '  starts = "changed"\n  slot twin: [2, base.dim] = normal(1.0)\n  forward(x) { base(x, context: concat([x, twin], axis: 0)) }',
      "Attention(4, heads: 2)",
    );
    assert.deepEqual(
      reports.map(({ result }) => result),
      ["changed"],
    );
  });

  it("is examined for every replaced method", async () => {
    const { reports } = await examine(
      "  slot k: [base.dim] = zeros()\n  slot v: [base.dim] = zeros()\n  keys(context, angles) { base.keys(context + k, angles) }\n  values(context) { base.values(context + v) }",
      "Attention(4, heads: 2)",
    );
    assert.deepEqual(
      reports.map(({ method, result }) => [method, result]),
      [
        ["keys", "proven by substitution"],
        ["values", "proven by substitution"],
      ],
    );
  });

  it("is examined whatever a replaced method calls its parameters", async () => {
    const { reports, errors } = await examine(
      "  slot a: [4] = zeros()\n  keys(c, turned) { base.keys(context: c, angles: turned) + a[0] }\n  values(c) { base.values(context: c) + a[0] }",
      "Attention(4, heads: 2)",
    );
    assert.deepEqual(errors, []);
    assert.deepEqual(
      reports.map(({ method, result }) => `${method}: ${result}`),
      ["keys: proven by substitution", "values: proven by substitution"],
    );
  });
});
