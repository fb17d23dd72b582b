import assert from "node:assert/strict";
import { compareNames, rename } from "../../src/api/names.js";

describe("names of tensors", () => {
  const pairs = [
    ["layers.*.attn.*.weight", "blocks.*.*.w"],
    ["head.weight", "out"],
    ["h(ea|d)+", "never"],
    ["*.bias", "b.*"],
  ] as const;

  it("are renamed by the first pair that fits, a star standing for one part of the path", () => {
    assert.equal(rename("layers.3.attn.q.weight", pairs), "blocks.3.q.w");
    assert.equal(rename("head.weight", pairs), "out");
    assert.equal(rename("x.bias", pairs), "b.x");
    for (const kept of ["layers.3.attn.q.z.weight", "headxweight", "a.b.bias", "head.weights", "hea"])
      assert.equal(rename(kept, pairs), kept);
  });

  it("that do not fit are listed, but never hundreds of them", () => {
    compareNames("parameters", ["a", "b"], ["b", "a"]);
    assert.throws(() => compareNames("parameters", ["a", "b"], ["b", "c", "d"]), {
      message: "the parameters do not fit:\n  missing: a\n  not in the model: c, d",
    });
    const many = Array.from({ length: 100 }, (_, number) => `tensor${number}`);
    assert.throws(() => compareNames("inputs", many, []), /missing: tensor0, .*tensor19 and 80 more$/);
  });
});
