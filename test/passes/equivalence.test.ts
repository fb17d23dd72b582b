import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { ValueId } from "../../src/graph/node.js";
import { provenEqual, provenEqualAcross } from "../../src/passes/equivalence.js";
import * as o from "../../src/primitives/operations.js";

const parameter = (b: GraphBuilder, path: string, shape: readonly number[]): ValueId =>
  b.add("parameter", [], { path, dtype: "f32", shape });

/** x W^T + bias for x [n, 6] and W [8, 6]. */
function linear(b: GraphBuilder, x: ValueId, weight = parameter(b, "weight", [8, 6])): ValueId {
  return o.add(b, o.matmul(b, x, o.transpose(b, weight, [1, 0])), parameter(b, "bias", [8]));
}

/** Whether an adapter, as an expression of its base's input, leaves the base as it was. */
function startsUnchanged(adapter: (b: GraphBuilder, x: ValueId) => ValueId): boolean {
  const b = new GraphBuilder();
  const x = parameter(b, "x", [5, 6]);
  const [base, adapted] = [linear(b, x), adapter(b, x)];
  return provenEqual(b.finish(), base, adapted);
}

describe("provenEqual", () => {
  it("sees that a low-rank side path with one factor zero changes nothing", () => {
    const adapter = (b: GraphBuilder, x: ValueId): ValueId => {
      const down = o.matmul(b, x, o.transpose(b, parameter(b, "A", [2, 6]), [1, 0]));
      const up = o.constant(b, 0, [8, 2]);
      const change = o.matmul(b, down, o.transpose(b, up, [1, 0]));
      return o.add(b, linear(b, x), o.scale(b, change, 16 / 2));
    };
    assert.ok(startsUnchanged(adapter));
  });

  it("sees it when the factors are cut from one table of tokens", () => {
    const adapter = (b: GraphBuilder, x: ValueId): ValueId => {
      const tokens = o.concat(
        b,
        [parameter(b, "A", [1, 2, 6]), o.constant(b, 0, [1, 2, 6]), o.constant(b, 0, [1, 2, 6])],
        0,
      );
      const a = o.reshape(b, o.sliceAxis(b, tokens, 0, 0, 1), [2, 6]);
      const pieces = o.transpose(b, o.sliceAxis(b, tokens, 0, 1, 3), [1, 0, 2]);
      const up = o.sliceAxis(b, o.reshape(b, pieces, [2, 12]), 1, 0, 8);
      return o.add(b, linear(b, x), o.matmul(b, o.matmul(b, x, o.transpose(b, a, [1, 0])), up));
    };
    assert.ok(startsUnchanged(adapter));
  });

  it("sees a scale of one and a shift of zero, a changed weight, and a rotation by nothing", () => {
    assert.ok(
      startsUnchanged((b, x) => {
        const gain = o.add(b, o.constant(b, 1), o.constant(b, 0, [8]));
        return o.add(b, o.multiply(b, linear(b, x), gain), o.constant(b, 0, [8]));
      }),
    );
    assert.ok(
      startsUnchanged((b, x) => {
        const weight = parameter(b, "weight", [8, 6]);
        const outer = o.matmul(b, parameter(b, "u", [8, 1]), o.constant(b, 0, [1, 6]));
        return linear(b, x, o.add(b, weight, outer));
      }),
    );
    assert.ok(
      startsUnchanged((b, x) => {
        const skew = o.subtract(b, o.constant(b, 0, [6, 6]), o.transpose(b, o.constant(b, 0, [6, 6]), [1, 0]));
        const eye = o.cast(b, o.equal(b, o.iota(b, [6, 6], 0), o.iota(b, [6, 6], 1)), "f32");
        return linear(b, o.matmul(b, x, o.add(b, eye, skew)));
      }),
    );
  });

  it("does not claim what is not so", () => {
    assert.ok(!startsUnchanged((b, x) => o.add(b, linear(b, x), o.constant(b, 1e-9))));
    assert.ok(!startsUnchanged((b, x) => o.add(b, linear(b, x), parameter(b, "shift", [8]))));
  });

  it("compares values of two graphs", () => {
    const [first, second] = [new GraphBuilder(), new GraphBuilder()];
    const x = parameter(first, "x", [3]);
    const y = parameter(second, "y", [3]);
    const doubled = o.scale(first, x, 2);
    const other = o.scale(
      second,
      o.add(second, o.scale(second, parameter(second, "x", [3]), 4), o.constant(second, 0)),
      0.5,
    );
    const right = { graph: second.finish(), value: other };
    assert.ok(provenEqualAcross({ graph: first.finish(), value: doubled }, right));
    assert.ok(
      !provenEqualAcross({ graph: first.finish(), value: doubled }, { ...right, value: o.scale(second, y, 2) }),
    );
  });
});
