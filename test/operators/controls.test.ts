import assert from "node:assert/strict";
import { boundOperator } from "../../runtime/operators/bounds.js";
import { averageOperators, interpolateOperators } from "../../runtime/operators/combine.js";
import { operatorSlots } from "../../runtime/operators/export/slots.js";
import { mergeOperator } from "../../runtime/operators/merge.js";
import { reportOperator } from "../../runtime/operators/report.js";
import { type OperatorSpace, operatorSpace, startingTokens } from "../../runtime/operators/space.js";
import { OperatorVersions } from "../../runtime/operators/versions.js";
import { initialValue } from "../../runtime/training/initialize.js";
import { elementCount } from "../../src/graph/shape.js";
import { build } from "../build/support.js";
import { noise } from "../cli/support.js";

const library = "BitFit, DoRA, FiLM, IA3, InputGate, LoRA, OFT";

async function spaceOf(applications: string, fields = "maps = [Linear(8, 6)] * 3"): Promise<OperatorSpace> {
  const model = await build(`import { Linear } from "std/layers"
import { ${library} } from "std/interfaces"
import { Flat } from "std/layouts"
model M() {
  ${fields}
  memory = adapt { ${applications} } as Flat(1, 4) ragged
  fn run(x: [8]) { maps[0](x) }
}
`);
  return operatorSpace(model, "memory");
}

const storedOf =
  ({ model }: OperatorSpace) =>
  (path: string) =>
    initialValue(model.parameters.find((spec) => spec.path === path)!, 5);

/** Numbers without pattern in every place. */
const tokensFor = ({ shape }: OperatorSpace, seed: number): Float32Array =>
  Float32Array.from({ length: elementCount(shape) }, (_, place) => noise(seed)(place));

const norm = (data: ArrayLike<number>): number => Math.sqrt(Array.from(data).reduce((sum, x) => sum + x * x, 0));

describe("a report on an operator", () => {
  it("has the norm and the rank of what the operator adds to each weight", async () => {
    const space = await spaceOf("maps[*] with LoRA(rank: 2, alpha: 4.0)");
    const stored = storedOf(space);
    const tokens = tokensFor(space, 1);
    const reports = reportOperator(space, tokens, stored);
    assert.deepEqual(
      reports.map(({ path, interfaces, measure }) => [path, interfaces, measure]),
      ["maps.0", "maps.1", "maps.2"].map((path) => [path, ["LoRA"], "weight"]),
    );
    const merged = mergeOperator(space, tokens, stored);
    for (const report of reports) {
      const before = stored(`${report.path}.weight`).data;
      const change = Array.from(merged.get(`${report.path}.weight`)!.data, (number, place) => number - before[place]!);
      assert.ok(Math.abs(report.norm - norm(change)) < 1e-5 * report.norm);
      const bias = stored(`${report.path}.bias`).data;
      assert.ok(Math.abs(report.relative! - report.norm / Math.hypot(norm(before), norm(bias))) < 1e-9);
      assert.equal(report.singularValues!.length, 2);
      assert.ok(Math.abs(norm(report.singularValues!) - report.norm) < 1e-9 * report.norm);
      assert.ok(report.effectiveRank! >= 1 && report.effectiveRank! <= 2);
    }
  });

  it("says that an operator at its start changes nothing, and that a change of biases has no rank", async () => {
    const space = await spaceOf("maps[*] with LoRA(rank: 2)");
    for (const { norm, effectiveRank } of reportOperator(space, startingTokens(space, 3), storedOf(space))) {
      assert.deepEqual({ norm, effectiveRank }, { norm: 0, effectiveRank: 0 });
    }
    const biases = await spaceOf("maps[*] with BitFit()");
    const tokens = tokensFor(biases, 2);
    const [first] = reportOperator(biases, tokens, storedOf(biases));
    assert.equal(first!.effectiveRank, 0);
    const offset = operatorSlots(biases, tokens).get("maps.0.offset")!;
    assert.ok(Math.abs(first!.norm - norm(offset.data)) < 1e-6);
  });

  it("measures the slots of interfaces that fold into no weight, and says why", async () => {
    const space = await spaceOf("maps[*] with InputGate(rank: 2)");
    const tokens = tokensFor(space, 1);
    const [first] = reportOperator(space, tokens, storedOf(space));
    assert.equal(first!.measure, "slots");
    assert.equal(first!.relative, undefined);
    assert.match(first!.reason!, /InputGate does not fold into a weight at `maps\.0`/);
    const slots = operatorSlots(space, tokens);
    assert.ok(Math.abs(first!.norm - norm(slots.get("maps.0.B")!.data)) < 1e-6);
  });
});

describe("a bound on an operator", () => {
  for (const applications of [
    "maps[*] with LoRA(rank: 2)",
    "maps[*] with DoRA(rank: 2)",
    "maps[*] with FiLM()",
    "maps[*] with OFT(block: 4)",
    "maps[*] with InputGate(rank: 2)",
    "maps[*] with LoRA(rank: 2), maps[1] with IA3()",
  ]) {
    it(`holds for ${applications}, and clips no more than it must`, async () => {
      const space = await spaceOf(applications);
      const stored = storedOf(space);
      const tokens = tokensFor(space, 4);
      const before = reportOperator(space, tokens, stored).map((report) => report.norm);
      const limit = [...before].sort((a, b) => a - b)[1]! * 0.9;
      const bounded = boundOperator(space, tokens, { norm: limit }, stored);
      const after = reportOperator(space, bounded.tokens, stored).map((report) => report.norm);
      after.forEach((found, place) => {
        assert.ok(found <= limit, `${found} above ${limit}`);
        if (before[place]! <= limit) assert.equal(found, before[place]);
        else assert.ok(found > 0.99 * limit, `${found} far below ${limit}`);
      });
      const over = before.flatMap((found, place) => (found > limit ? [`maps.${place}`] : []));
      assert.deepEqual(
        bounded.clipped.map(({ path }) => path),
        over,
      );
      for (const { path, before: given, after: now, factor } of bounded.clipped) {
        const place = Number(path.at(-1));
        assert.deepEqual([given, now], [before[place], after[place]]);
        assert.ok(factor > 0 && factor < 1);
      }
    });
  }

  it("leaves an operator within it as it is, bit for bit", async () => {
    const space = await spaceOf("maps[*] with LoRA(rank: 2)");
    const tokens = tokensFor(space, 4);
    const bounded = boundOperator(space, tokens, { norm: 1e6, relative: 1e6 }, storedOf(space));
    assert.deepEqual(bounded, { tokens, clipped: [] });
  });

  it("may be told in parts of the weight, and be zero", async () => {
    const space = await spaceOf("maps[*] with LoRA(rank: 2)");
    const stored = storedOf(space);
    const half = boundOperator(space, tokensFor(space, 4), { relative: 0.5 }, stored);
    for (const { relative } of reportOperator(space, half.tokens, stored)) assert.ok(relative! <= 0.5);
    const none = boundOperator(space, tokensFor(space, 4), { norm: 0 }, stored);
    for (const report of reportOperator(space, none.tokens, stored)) assert.equal(report.norm, 0);
  });

  it("moves a slot that modules share for all of them", async () => {
    const space = await spaceOf("maps[* by 3] with LoRA(rank: 2)");
    const stored = storedOf(space);
    const tokens = tokensFor(space, 4);
    const bounded = boundOperator(space, tokens, { norm: 0.5 }, stored);
    const reports = reportOperator(space, bounded.tokens, stored);
    assert.equal(new Set(reports.map(({ norm }) => norm)).size, 1);
    assert.ok(reports[0]!.norm <= 0.5);
  });

  it("is refused relative to a weight where there is none to compare with", async () => {
    const space = await spaceOf("maps[*] with InputGate(rank: 2)");
    assert.throws(
      () => boundOperator(space, tokensFor(space, 4), { relative: 0.5 }, storedOf(space)),
      /maps\.0 can only be bounded by a norm, not relative to its weight/,
    );
  });
});

describe("operators made of others", () => {
  it("lie between them", () => {
    const [a, b] = [Float32Array.of(1, 2, 3), Float32Array.of(3, 2, -1)];
    assert.deepEqual(interpolateOperators(a, b, 0), a);
    assert.deepEqual(interpolateOperators(a, b, 1), b);
    assert.deepEqual(interpolateOperators(a, b, 0.25), Float32Array.of(1.5, 2, 2));
    assert.deepEqual(averageOperators([a, b]), Float32Array.of(2, 2, 1));
    assert.deepEqual(averageOperators([a, b, a], [0.5, 2, 0]), Float32Array.of(6.5, 5, -0.5));
  });

  it("are refused where they do not combine", () => {
    assert.throws(() => averageOperators([]), /no operators/);
    assert.throws(() => interpolateOperators(new Float32Array(3), new Float32Array(4), 0.5), /of 3 and of 4 numbers/);
    assert.throws(() => averageOperators([new Float32Array(3)], [1, 2]), /1 operators were given, and 2 weights/);
  });
});

describe("versions of an operator", () => {
  const numbers = (value: number) => Float32Array.of(value, value);

  it("come into force one after the other, and go back to any of them and to the base", async () => {
    const stored: number[] = [];
    const operator = new OperatorVersions(numbers(0), {
      store: async (tokens) => {
        stored.push(tokens[0]!);
      },
    });
    assert.equal(await operator.apply(numbers(1), "first"), 1);
    assert.equal(await operator.apply(numbers(2), "second"), 2);
    assert.deepEqual([operator.version, operator.tokens], [2, numbers(2)]);
    await operator.rollback(1);
    assert.deepEqual([operator.version, operator.tokens], [1, numbers(1)]);
    await operator.rollback();
    assert.deepEqual([operator.version, operator.tokens], [0, numbers(0)]);
    assert.equal(await operator.apply(numbers(3)), 3);
    assert.deepEqual(stored, [1, 2, 1, 0, 3]);
    assert.deepEqual(
      operator.versions.map(({ version, note }) => `${version} ${note}`),
      ["0 base", "1 first", "2 second", "3 "],
    );
  });

  it("are copies: what a caller does to its tokens later changes nothing", async () => {
    const tokens = numbers(1);
    const operator = new OperatorVersions(numbers(0));
    const applied = operator.apply(tokens);
    tokens.fill(7);
    await applied;
    operator.tokens.fill(9);
    assert.deepEqual(operator.tokens, numbers(1));
  });

  it("stay as they were when the store fails, and wait for one another", async () => {
    let fails = false;
    const order: number[] = [];
    const operator = new OperatorVersions(numbers(0), {
      store: async (tokens) => {
        await new Promise((resolve) => setTimeout(resolve, tokens[0] === 1 ? 10 : 0));
        if (fails) throw new Error("the device is gone");
        order.push(tokens[0]!);
      },
    });
    await Promise.all([operator.apply(numbers(1)), operator.apply(numbers(2))]);
    assert.deepEqual(order, [1, 2]);
    fails = true;
    await assert.rejects(operator.apply(numbers(3)), /the device is gone/);
    await assert.rejects(operator.rollback(), /the device is gone/);
    assert.deepEqual([operator.version, operator.tokens], [2, numbers(2)]);
    fails = false;
    assert.equal(await operator.apply(numbers(4)), 3);
  });

  it("are kept up to a number, and the base always", async () => {
    const operator = new OperatorVersions(numbers(0), { keep: 2 });
    for (const value of [1, 2, 3]) await operator.apply(numbers(value));
    await assert.rejects(operator.rollback(1), /version 1 is not kept; there are 0, 2, 3/);
    await operator.rollback();
    assert.deepEqual(operator.tokens, numbers(0));
    await assert.rejects(operator.apply(new Float32Array(3)), /the operator has 2 numbers, but 3 were given/);
  });
});
