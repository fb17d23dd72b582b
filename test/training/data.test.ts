import assert from "node:assert/strict";
import fc from "fast-check";
import { bindData } from "../../runtime/training/binding.js";
import { type DataSource, memorySource } from "../../runtime/training/data.js";
import { filterRows, mixture, trainingOrder } from "../../runtime/training/order.js";
import { prefetch } from "../../runtime/training/prefetch.js";
import { permutation } from "../../runtime/training/random.js";
import type { InputSpec } from "../../src/build/model.js";

const numbered = (name: string, length: number): DataSource =>
  memorySource(name, { id: { dtype: "i32", shape: [], data: Int32Array.from({ length }, (_, row) => row) } });
const parts = (...sources: readonly (readonly [string, number, number])[]) =>
  mixture(
    sources.map(([name, , weight]) => ({ name, weight })),
    [],
    new Map(sources.map(([name, rows]) => [name, numbered(name, rows)])),
    "Stage",
  );

describe("the order of training data", () => {
  it("goes through every row once per epoch, in a new order each time", () => {
    const order = trainingOrder(parts(["a", 50, 1]), 3);
    const epochs = [0, 1, 2].map((epoch) => order.take(epoch * 50, 50));
    for (const [epoch, rows] of epochs.entries()) {
      assert.deepEqual(
        rows.map(({ row }) => row).sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, row) => row),
      );
      assert.ok(rows.every((reference) => reference.epoch === epoch));
    }
    assert.notDeepEqual(
      epochs[0]!.map(({ row }) => row),
      epochs[1]!.map(({ row }) => row),
    );
  });

  it("is a function of seed and position alone", () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.array(fc.nat(200), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        (seed, positions, count) => {
          const sources = parts(["a", 7, 1], ["b", 13, 2.5], ["c", 2, 0.3]);
          const whole = trainingOrder(sources, seed).take(0, 220);
          const order = trainingOrder(sources, seed);
          for (const position of positions)
            assert.deepEqual(order.take(position, count), whole.slice(position, position + count));
        },
      ),
    );
  });

  it("gives every source its share, to within a row", () => {
    const weights = [5, 1, 0.5];
    const rows = trainingOrder(parts(["a", 10, 5], ["b", 10, 1], ["c", 10, 0.5]), 1).take(0, 650);
    for (let end = 1; end <= rows.length; end++) {
      weights.forEach((weight, source) => {
        const given = rows.slice(0, end).filter((row) => row.source === source).length;
        assert.ok(Math.abs(given - (end * weight) / 6.5) <= 1, `${given} of ${end} from ${source}`);
      });
    }
  });

  it("differs between seeds, and permutes evenly", () => {
    assert.notDeepEqual(permutation(20, 1, 5, 0), permutation(20, 2, 5, 0));
    const firsts = Array.from({ length: 6000 }, (_, seed) => permutation(3, seed, 5, 0).join());
    for (const order of ["0,1,2", "0,2,1", "1,0,2", "1,2,0", "2,0,1", "2,1,0"]) {
      const count = firsts.filter((found) => found === order).length;
      assert.ok(Math.abs(count - 1000) < 150, `${order}: ${count}`);
    }
  });

  it("keeps the rows that pass every filter", () => {
    const source = memorySource(
      "pictures",
      { size: { dtype: "i32", shape: [], data: Int32Array.of(8, 16, 8, 16, 32) } },
      { task: ["blur", "age", "age", "age", "age"] },
    );
    const kept = filterRows(source, [
      { column: "task", values: ["age", "bright"] },
      { column: "size", values: [16, 32] },
    ]);
    assert.deepEqual([...kept], [1, 3, 4]);
    assert.throws(
      () => filterRows(source, [{ column: "tusk", values: [1] }]),
      /"pictures" has no column "tusk" to filter by\n.*"size", "task"/,
    );
  });

  it("says which data is not bound, is empty, or passes no filter", () => {
    const sources = new Map([
      ["a", numbered("a", 3)],
      ["none", numbered("none", 0)],
    ]);
    const of =
      (name: string, weight = 1, where: Parameters<typeof mixture>[1] = []) =>
      () =>
        mixture([{ name, weight }], where, sources, 'Stage "edit"');
    assert.throws(of("b"), /Stage "edit" uses the data "b", which is not bound\n {2}help: bound are "a", "none"/);
    assert.throws(of("none"), /The data "none" has no rows/);
    assert.throws(
      of("a", 1, [{ column: "id", values: [9] }]),
      /No row of the data "a" passes the filters of Stage "edit"/,
    );
    assert.throws(of("a", 0), /weight 0; weights are above 0/);
  });
});

const input = (
  name: string,
  dtype: InputSpec["dtype"],
  shape: readonly number[],
  rest: Partial<InputSpec> = {},
): InputSpec => ({
  name,
  dtype,
  shape,
  perInstance: true,
  tokens: false,
  ...rest,
});
const text = (ragged = true): DataSource =>
  memorySource("text", {
    words: ragged
      ? { dtype: "i32", shape: [3], ragged, data: Int32Array.of(1, 2, 3, 4, 5, 6), lengths: [2, 0, 3, 1] }
      : { dtype: "i32", shape: [3], data: Int32Array.from({ length: 12 }, (_, index) => index) },
    flag: { dtype: "bool", shape: [], data: Uint8Array.of(0, 1, 0, 1) },
    picture: { dtype: "f32", shape: [2, 2], data: Float32Array.from({ length: 16 }, (_, index) => index) },
  });
const row = (number: number, source = 0) => ({ source, row: number, epoch: 0 });

describe("binding data to an entry point", () => {
  it("pads short rows and says so in the mask, whether or not the mask is listed", async () => {
    const words = input("words", "i32", [4], { mask: "words.mask" });
    for (const inputs of [[words], [words, input("words.mask", "bool", [4])]]) {
      const batch = await bindData({ name: "loss", inputs }, [text()], 0).assemble([row(2), row(0), row(1)], 3);
      assert.deepEqual([...batch.inputs.words!], [3, 4, 5, 0, 1, 2, 0, 0, 0, 0, 0, 0]);
      assert.deepEqual([...batch.inputs["words.mask"]!], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
    const whole = await bindData({ name: "loss", inputs: [words] }, [text(false)], 0).assemble([row(1)], 1);
    assert.deepEqual(
      [[...whole.inputs.words!], [...whole.inputs["words.mask"]!]],
      [
        [3, 4, 5, 0],
        [1, 1, 1, 0],
      ],
    );
  });

  it("fills a batch up with repeated rows of weight 0", async () => {
    const binding = bindData({ name: "loss", inputs: [input("picture", "f32", [2, 2])] }, [text()], 0);
    const batch = await binding.assemble([row(3), row(1)], 4);
    assert.equal(batch.instances, 2);
    assert.deepEqual([...batch.inputs.instance_weight!], [1, 1, 0, 0]);
    assert.deepEqual([...batch.inputs.picture!], [12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]);
  });

  it("puts rows of several sources in their places, with seeds of their own", async () => {
    const seen: number[][] = [];
    const spy = (source: DataSource): DataSource => ({
      ...source,
      batch: (rows, seeds, columns) => {
        seen.push([...seeds]);
        return source.batch(rows, seeds, columns);
      },
    });
    const binding = bindData(
      { name: "loss", inputs: [input("id", "i32", [])] },
      [spy(numbered("a", 9)), spy(numbered("b", 9))],
      5,
    );
    const rows = [row(4), row(7, 1), { ...row(4), epoch: 1 }, row(8, 1)];
    const { inputs } = await binding.assemble(rows, 4);
    assert.deepEqual([...inputs.id!], [4, 7, 4, 8]);
    assert.equal(new Set(seen.flat()).size, 4);
    const first = seen.splice(0);
    await binding.assemble(rows, 4);
    assert.deepEqual(seen, first);
  });

  it("lists all that does not fit, with what there is and what is needed", () => {
    const inputs = [
      input("sound", "f32", [4]),
      input("picture", "f32", [3, 2]),
      input("flag", "f32", []),
      input("words", "i32", [3]),
      input("tokens", "f32", [2], { perInstance: false }),
    ];
    assert.throws(
      () => bindData({ name: "loss", inputs }, [text()], 0),
      (error: Error) => {
        assert.deepEqual(error.message.split("\n"), [
          'The data does not fit "loss":',
          '  - the shared argument "tokens" is the same for all instances and does not come from data; give it a value',
          '  - data "text" has no column "sound"; it has "words", "flag", "picture"',
          '  - column "picture" of data "text" has the shape [2, 2], but [3, 2] is needed',
          '  - column "flag" of data "text" holds bool, but floats (f32) are needed',
          '  - column "words" of data "text" has rows of different lengths, but the parameter has the fixed shape [3]; declare it as [..3]',
        ]);
        return true;
      },
    );
  });

  it("hands shared arguments on as they are given", async () => {
    const inputs = [input("tokens", "f32", [2], { perInstance: false }), input("flag", "bool", [])];
    const tokens = Float32Array.of(1, 2);
    const batch = await bindData({ name: "loss", inputs }, [text()], 0, { tokens }).assemble([row(1)], 1);
    assert.equal(batch.inputs.tokens, tokens);
    assert.throws(
      () => bindData({ name: "loss", inputs }, [text()], 0, { tokens: Float32Array.of(1) }),
      /has 2 numbers, but 1 were given/,
    );
  });

  it("checks what a source hands over", async () => {
    const answers: readonly [Record<string, Float32Array | Int32Array>, RegExp][] = [
      [{}, /"text" gave a batch without "picture"/],
      [{ picture: new Int32Array(4) }, /gave "picture" as Int32Array, but it is declared f32/],
      [{ picture: new Float32Array(3) }, /gave 3 numbers for "picture", but 4 are needed/],
    ];
    for (const [answer, message] of answers) {
      const binding = bindData(
        { name: "loss", inputs: [input("picture", "f32", [2, 2])] },
        [{ ...text(), batch: async () => answer }],
        0,
      );
      await assert.rejects(binding.assemble([row(0)], 1), message);
    }
  });

  it("refuses columns that disagree about the number of rows", () => {
    const f32 = (length: number) => ({ dtype: "f32" as const, shape: [2], data: new Float32Array(length) });
    assert.throws(() => memorySource("d", { a: f32(4), b: f32(6) }), /column "b" has 3 rows, but "a" has 2/);
    assert.throws(() => memorySource("d", { a: f32(5) }), /5 numbers, which is no multiple of the 2 of a row/);
    assert.throws(() => memorySource("d", { a: f32(4) }, { task: ["x"] }), /column "task" has 1 rows, but "a" has 2/);
    assert.throws(
      () => memorySource("d", { a: { ...f32(4), ragged: true, lengths: [1, 3] } }),
      /row 1 of column "a" has length 3; the longest allowed is 2/,
    );
  });
});

describe("preparing batches ahead", () => {
  it("keeps the order, runs one at a time, and stays only so far ahead", async () => {
    let running = 0;
    const started: number[] = [];
    const feed = prefetch(
      async (index) => {
        started.push(index);
        assert.equal(++running, 1);
        await new Promise((resolve) => setTimeout(resolve, (index * 7) % 3));
        running--;
        return index;
      },
      2,
      8,
    );
    for (let expected = 2; expected < 8; expected++) {
      assert.equal(await feed.next(), expected);
      assert.ok(started.length <= expected - 2 + 3);
    }
    assert.deepEqual(started, [2, 3, 4, 5, 6, 7]);
    await assert.rejects(feed.next(), /Nothing is left/);
  });

  it("hands an error to whoever takes that result", async () => {
    const feed = prefetch(async (index) => (index === 1 ? Promise.reject(new Error("torn")) : index), 0, 3);
    assert.equal(await feed.next(), 0);
    await assert.rejects(feed.next(), /torn/);
  });
});
