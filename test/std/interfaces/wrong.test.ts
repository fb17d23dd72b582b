/** Interfaces that are wrong, or applied where they do not fit: what a user reads then. */
import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { render } from "../../../dsl/diagnostics/render.js";
import { diagnosticsOf, sourcesOf } from "../../build/support.js";

const golden = join(import.meta.dirname, "..", "..", "golden", "messages", "interfaces.txt");

const fileOf = (adapted: string, { layers = "[Linear(4, 4)] * 2", own = "" }: Parts = {}): string =>
  `import { Linear, RMSNorm } from "std/layers"
import { LoRA, OFT } from "std/interfaces"
import { Flat, RankAnchored } from "std/layouts"
${own}
model M() {
  layers = ${layers}
  memory = adapt ${adapted}
  fn f(x: [4], t: memory.tokens) -> [4] {
    for layer in layers { x = (layer with memory(t))(x) }
    x
  }
}
`;

interface Parts {
  readonly layers?: string;
  readonly own?: string;
}

const own = (members: string, on = "Linear"): string => `
interface Own() on ${on} {
${members}
}
`;

const gain = "  slot gain: [4] = constant(1.0)\n";

const mistakes: Readonly<Record<string, string>> = {
  "a weight that the module has not": fileOf("layers[*] with Own() as Flat(1, 4)", {
    layers: "[RMSNorm(4)] * 2",
    own: own(`${gain}  forward(x) { base(x) * gain + 0 * base.weight[0] }`, "RMSNorm"),
  }),
  "a size that the module has not": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own("  slot gain: [base.dim] = constant(1.0)\n  forward(x) { base(x) * gain }", "module"),
  }),
  "a module that it is not on": fileOf("layers[*] with Own() as Flat(1, 4)", {
    layers: "[RMSNorm(4)] * 2",
    own: own(`${gain}  forward(x) { base(x) * gain }`),
  }),
  "a slot that nobody reads": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own(`${gain}  slot offset: [4] = zeros()\n  forward(x) { base(x) * gain }`),
  }),
  "a slot of ints": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own("  slot place: int[1] = zeros()\n  forward(x) { base(x)[place] + x }"),
  }),
  "a slot that starts as no generator can": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own("  slot turn: [4, 4] = orthogonal()\n  forward(x) { base(x @ turn) }"),
  }),
  "a slot whose size is no whole number": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own("  slot part: [base.in_features / 3] = zeros()\n  forward(x) { base(x) + sum(part) }"),
  }),
  "a slot that the layout cannot cut": fileOf("layers[*] with Own() as Pairs()", {
    own: `${own("  slot three: [3] = zeros()\n  forward(x) { base(x) + sum(three) }")}
layout Pairs() {
  rows    = 1
  columns = 2
  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot[:2], [-1, 1, 2]) }
}
`,
  }),
  "a change from the start": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own("  slot gain: [4] = zeros()\n  forward(x) { base(x) * gain }"),
  }),
  "arguments that nobody takes": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own(`${gain}  forward(x, ...rest) { base(x, gain, ...rest) }`),
  }),
  "a method that no module has": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own(`${gain}  foward(x) { base(x) * gain }`),
  }),
  "a block that does not divide": fileOf("layers[*] with Own() as Flat(1, 4)", {
    own: own(
      `  assert base.in_features % 3 == 0, "3 does not divide in_features " + str(base.in_features)\n${gain}  forward(x) { base(x) * gain }`,
    ),
  }),
  "a pattern that breaks off": fileOf("layers[*].q with LoRA() as Flat(1, 4)"),
  "a pattern that names no module": fileOf("layers[*] with LoRA() as Flat(1, 4)", { layers: "[Linear(4, 4)] * 0" }),
  "layers that differ": fileOf("layers[*] with LoRA() as Flat(1, 4)", { layers: "[Linear(4, 4), Linear(4, 8)]" }),
  "what is shared, at sites that differ": fileOf("layers[*] with Own() as Flat(1, 4)", {
    layers: "[Linear(4, 4), Linear(4, 8)]",
    own: own(
      `${gain}  shared frozen far: [base.out_features] = ones()\n  forward(x) { base(x) * (1 + sum(gain - 1) * far) }`,
    ),
  }),
  "groups that do not lie inside one another": fileOf(
    "{ layers[* by 2] with LoRA(1), layers[* by 3] with LoRA(2) } as Flat(1, 4)",
    { layers: "[Linear(4, 4)] * 6" },
  ),
  "an axis that no interface has": fileOf("layers[*] with OFT(block: 2) as RankAnchored(4, anchor: width)"),
  "an axis of two sizes": fileOf("{ layers[*] with LoRA(4), layers[*] with LoRA(2) } as RankAnchored(4)"),
};

describe("wrong interfaces", () => {
  it("are told in words, with their place and the difference", async () => {
    const texts: string[] = [];
    for (const [what, text] of Object.entries(mistakes)) {
      const found = await diagnosticsOf(text);
      assert.ok(found.length > 0, what);
      texts.push(`--- ${what}\n\n${render(found, await sourcesOf(text), { color: false })}`);
    }
    const all = texts.join("\n");
    if (process.env.WEFT_GOLDEN === "write") writeFileSync(golden, all);
    assert.equal(all, readFileSync(golden, "utf8"));
  });
});
