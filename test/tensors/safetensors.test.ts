import assert from "node:assert/strict";
import fc from "fast-check";
import { roundTensor } from "../../runtime/tensors/convert.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "../../runtime/tensors/half.js";
import { readSafetensors, SafetensorsError, writeSafetensors } from "../../runtime/tensors/safetensors.js";
import { bytesOf, type StoredDtype, type Tensor, tensor } from "../../runtime/tensors/tensor.js";
import { elementCount } from "../../src/graph/shape.js";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
function tensorOf(dtype: StoredDtype, shape: readonly number[], numbers: readonly number[]): Tensor {
  switch (dtype) {
    case "f32": {
      const floats = new Float32Array(Uint32Array.from(numbers, (bits) => bits * 2).buffer);
      return tensor(
        dtype,
        shape,
        floats.map((value) => (Number.isNaN(value) ? 0.5 : value)),
      );
    }
    case "f16":
      return tensor(
        dtype,
        shape,
        Float32Array.from(numbers, (bits) => f16ToNumber(bits & 0xbfff)),
      );
    case "bf16":
      return tensor(
        dtype,
        shape,
        Float32Array.from(numbers, (bits) => bf16ToNumber(bits & 0xbfff)),
      );
    case "i32":
      return tensor(
        dtype,
        shape,
        Int32Array.from(numbers, (bits) => bits * 2),
      );
    case "u32":
      return tensor(dtype, shape, Uint32Array.from(numbers));
    case "bool":
      return tensor(
        dtype,
        shape,
        Uint8Array.from(numbers, (bits) => bits & 1),
      );
  }
}
const dtypes = fc.constantFrom<StoredDtype>("f32", "f16", "bf16", "i32", "u32", "bool");
const tensors = fc
  .tuple(dtypes, shapes, fc.infiniteStream(fc.nat()))
  .map(([dtype, shape, stream]) => tensorOf(dtype, shape, [...stream.take(elementCount(shape))]));
const names = fc.string({ unit: "grapheme", maxLength: 6 }).filter((name) => name !== "__metadata__");

/** A file from a header, which need not be sensible, and so many bytes of data. */
function file(header: unknown, dataBytes: number | Uint8Array = 0, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const data = typeof dataBytes === "number" ? new Uint8Array(dataBytes) : dataBytes;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}
const f32 = (begin: number, end: number, shape: readonly unknown[] = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("safetensors files", () => {
  it("come back as they were written", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(names, tensors), { selector: ([name]) => name, maxLength: 6 }),
        fc.dictionary(names, fc.string()),
        (listed, metadata) => {
          const bytes = writeSafetensors(new Map(listed), metadata);
          const read = readSafetensors(bytes, "weights");
          assert.deepEqual({ ...read.metadata }, { ...metadata });
          assert.deepEqual([...read.entries.keys()].sort(), listed.map(([name]) => name).sort());
          for (const [name, written] of listed) assert.deepEqual(read.tensor(name), written);
          assert.deepEqual(
            writeSafetensors(new Map([...listed].reverse()), metadata),
            bytes,
            "order of insertion does not matter",
          );
        },
      ),
    );
  });

  it("are laid out as the format says", () => {
    const bytes = writeSafetensors(
      new Map([
        ["b", tensor("f32", [1], Float32Array.of(1))],
        ["a", tensor("bool", [3], Uint8Array.of(1, 0, 1))],
      ]),
      { by: "weft" },
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assert.equal((8 + length) % 8, 0);
    assert.equal(
      new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd(),
      '{"__metadata__":{"by":"weft"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]}}',
    );
    assert.deepEqual([...bytes.subarray(8 + length)], [0, 0, 0x80, 0x3f, 1, 0, 1]);
  });

  it("are read wherever they stand in memory", () => {
    const bytes = writeSafetensors(
      new Map([["a", tensor("f32", [2], Float32Array.of(1, 2))]]),
      {},
      { withDigest: true },
    );
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const read = readSafetensors(shifted.subarray(3), "weights");
    assert.deepEqual(read.tensor("a").data, Float32Array.of(1, 2));
    assert.equal(read.digest(), read.metadata.digest);
  });

  it("are read from a Node Buffer, which is a view of a pool", () => {
    const numbers = tensor("f32", [3], Float32Array.of(1, 2, 3));
    const file = readSafetensors(Buffer.from(writeSafetensors(new Map([["a", numbers]]))), "a.safetensors");
    assert.deepEqual(file.tensor("a"), numbers);
  });

  it("notice by their digest every byte that changed", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (data, at, change) => {
          const bytes = writeSafetensors(
            new Map([
              [
                "a",
                tensor(
                  "bool",
                  [data.length],
                  data.map((value) => value & 1),
                ),
              ],
            ]),
            {},
            { withDigest: true },
          );
          bytes[bytes.length - 1 - (at % data.length)]! ^= change;
          const read = readSafetensors(bytes, "weights");
          assert.notEqual(read.digest(), read.metadata.digest);
        },
      ),
    );
  });

  it("convert the dtypes that we do not have", () => {
    const entry = (dtype: string, data: ArrayBufferView, shape = [2]) => {
      const bytes = new Uint8Array(data.buffer);
      return readSafetensors(file({ t: { dtype, shape, data_offsets: [0, bytes.length] } }, bytes), "weights").tensor(
        "t",
      );
    };
    assert.deepEqual(entry("F64", Float64Array.of(0.5, -3)), tensor("f32", [2], Float32Array.of(0.5, -3)));
    assert.deepEqual(
      entry("I64", BigInt64Array.of(-7n, 2147483647n)),
      tensor("i32", [2], Int32Array.of(-7, 2147483647)),
    );
    assert.deepEqual(entry("I16", Int16Array.of(-7, 9)), tensor("i32", [2], Int32Array.of(-7, 9)));
    assert.deepEqual(entry("I8", Int8Array.of(-7, 9)), tensor("i32", [2], Int32Array.of(-7, 9)));
    assert.deepEqual(entry("U8", Uint8Array.of(200, 9)), tensor("u32", [2], Uint32Array.of(200, 9)));
    assert.deepEqual(entry("F16", Uint16Array.of(0x3c00, 0xc000)), tensor("f16", [2], Float32Array.of(1, -2)));
    assert.deepEqual(entry("BF16", Uint16Array.of(0x3f80, 0xc000)), tensor("bf16", [2], Float32Array.of(1, -2)));
    assert.throws(
      () => entry("F64", Float64Array.of(1, 0.1)),
      /^SafetensorsError: weights: tensor "t" element 1 is 0\.1, which f32 cannot hold$/,
    );
    assert.throws(
      () => entry("I64", BigInt64Array.of(0n, 1n << 31n)),
      /tensor "t" element 1 is 2147483648, which i32 cannot hold/,
    );
    assert.throws(
      () => entry("BOOL", Uint8Array.of(0, 2)),
      /tensor "t" element 1 is 2, which is neither false \(0\) nor true \(1\)/,
    );
  });

  it("convert to the dtype asked for, unless that would change a number", () => {
    const stored = new Map([
      ["half", tensor("bf16", [1], Float32Array.of(1.5))],
      ["single", tensor("f32", [2], Float32Array.of(1, 1.0001))],
      ["count", tensor("u32", [1], Uint32Array.of(4e9))],
    ]);
    const read = readSafetensors(writeSafetensors(stored), "weights");
    assert.deepEqual(read.tensor("half", "f32"), tensor("f32", [1], Float32Array.of(1.5)));
    assert.deepEqual(read.tensor("half", "f16"), tensor("f16", [1], Float32Array.of(1.5)));
    assert.throws(() => read.tensor("single", "f16"), /tensor "single" element 1 is 1\.000\d+, which f16 cannot hold/);
    assert.throws(() => read.tensor("count", "i32"), /tensor "count" element 0 is 4000000000, which i32 cannot hold/);
    assert.throws(() => read.tensor("count", "f32"), /tensor "count" holds u32, which is not converted to f32/);
    assert.throws(
      () => writeSafetensors(new Map([["x", tensor("bf16", [1], Float32Array.of(1.0001))]]), {}, { file: "out" }),
      /out: tensor "x" element 0 is 1\.000\d+, which bf16 cannot hold/,
    );
  });

  const malformed: readonly [string, Uint8Array, RegExp][] = [
    ["too short for a length", new Uint8Array(5), /^weights: is 5 bytes long/],
    ["a header longer than the file", file({}, 0, 50n), /^weights: ends inside its header, which should have 50 bytes/],
    ["an absurd header length", file({}, 0, 1n << 63n), /^weights: says that its header has 9223372036854775808 bytes/],
    ["a header that is no JSON", file("{nonsense"), /^weights: has a header that is not JSON/],
    ["a header that is no object", file([1]), /^weights: has a header that is not a JSON object/],
    ["a header that is not UTF-8", file("\u0000").fill(0xff, 8), /^weights: has a header that is not UTF-8/],
    [
      "a name given twice",
      file(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      /^weights: tensor "a" is listed twice/,
    ],
    [
      "a field given twice",
      file('{"a":{"dtype":"F32","dtype":"F16","shape":[0],"data_offsets":[0,0]}}'),
      /^weights: tensor "a" gives "dtype" twice/,
    ],
    ["an entry that is no object", file({ a: 3 }), /^weights: tensor "a" is not described by a JSON object/],
    [
      "an unknown dtype",
      file({ a: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4),
      /^weights: tensor "a" has the dtype "F8_E4M3", which is not read/,
    ],
    [
      "a dtype that JavaScript knows too well",
      file({ a: { ...f32(0, 4), dtype: "constructor" } }, 4),
      /tensor "a" has the dtype "constructor"/,
    ],
    ["a negative size", file({ a: f32(0, 4, [-1]) }, 4), /^weights: tensor "a" has the shape \[-1\]/],
    ["a broken size", file({ a: f32(0, 4, [0.5]) }, 4), /^weights: tensor "a" has the shape \[0\.5\]/],
    [
      "a huge shape",
      file({ a: f32(0, 4, [4294967296, 4294967296, 4294967296]) }, 4),
      /^weights: tensor "a" has 4 bytes, but F32 of shape .* needs/,
    ],
    [
      "a shape whose bytes wrap around",
      file({ a: f32(0, 0, [9007199254740991, 9007199254740991]) }),
      /^weights: tensor "a" has 0 bytes, but/,
    ],
    [
      "offsets the wrong way round",
      file({ a: f32(8, 4, [1]) }, 8),
      /^weights: tensor "a" ends at byte 4, before it begins at 8/,
    ],
    [
      "offsets beyond the end",
      file({ a: f32(0, 8) }, 4),
      /^weights: tensor "a" ends at byte 8, but the file has only 4 bytes of data/,
    ],
    [
      "offsets that are not two",
      file({ a: { ...f32(0, 4), data_offsets: [0, 2, 4] } }, 4),
      /^weights: tensor "a" has the offsets \[0,2,4\]/,
    ],
    [
      "too few bytes for the shape",
      file({ a: f32(0, 4, [2]) }, 4),
      /^weights: tensor "a" has 4 bytes, but F32 of shape \[2\] needs 8/,
    ],
    ["overlapping tensors", file({ a: f32(0, 8), b: f32(4, 12) }, 12), /^weights: tensor "b" overlaps tensor "a"/],
    [
      "a hole",
      file({ a: f32(0, 4), b: f32(8, 12) }, 12),
      /^weights: tensor "b" begins at byte 8, but what stands before it ends at 4/,
    ],
    ["bytes at the end", file({ a: f32(0, 4) }, 6), /^weights: has 6 bytes of data, of which 2 belong to no tensor/],
    ["metadata that is no text", file({ __metadata__: { a: 1 } }), /^weights: has metadata "a" that is not a string/],
  ];
  for (const [what, bytes, message] of malformed) {
    it(`are refused with ${what}`, () => {
      assert.throws(() => readSafetensors(bytes, "weights"), { name: "SafetensorsError", file: "weights", message });
    });
  }

  it("are never more than refused, whatever their bytes", () => {
    const whole = writeSafetensors(
      new Map([
        ["a", tensor("f32", [2], Float32Array.of(1, 2))],
        ["b", tensor("i32", [], Int32Array.of(1))],
      ]),
      { k: "v" },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(whole.length),
        (changes, length) => {
          const bytes = whole.slice(0, length);
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          try {
            const read = readSafetensors(bytes, "weights");
            for (const name of read.entries.keys()) read.tensor(name);
          } catch (error) {
            assert.ok(error instanceof SafetensorsError, String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("name a tensor that is not there", () => {
    assert.throws(() => readSafetensors(file({}), "weights").tensor("a.b"), /weights: tensor "a\.b" is not there/);
  });
});

describe("16-bit floats", () => {
  it("come back from all their patterns", () => {
    for (let pattern = 0; pattern < 0x10000; pattern++) {
      const [half, brain] = [f16ToNumber(pattern), bf16ToNumber(pattern)];
      if (!Number.isNaN(half)) assert.equal(numberToF16(half), pattern);
      if (!Number.isNaN(brain)) assert.equal(numberToBf16(brain), pattern);
    }
    assert.ok(
      Number.isNaN(f16ToNumber(numberToF16(Number.NaN))) && Number.isNaN(bf16ToNumber(numberToBf16(Number.NaN))),
    );
  });

  it("round to the nearest, ties to even", () => {
    const neighbours = (pattern: number, decode: (pattern: number) => number) =>
      [decode(pattern), decode(pattern + 1)] as const;
    for (const [decode, encode] of [
      [f16ToNumber, numberToF16],
      [bf16ToNumber, numberToBf16],
    ] as const) {
      for (const pattern of [0, 1, 0x3ff, 0x400, 0x3c00, 0x3c01, 0x5554, 0x7bfd]) {
        const [low, high] = neighbours(pattern, decode);
        assert.equal(encode(low + (high - low) * 0.25), pattern);
        assert.equal(encode(low + (high - low) * 0.75), pattern + 1);
        assert.equal(encode((low + high) / 2), pattern % 2 === 0 ? pattern : pattern + 1);
      }
    }
    assert.equal(f16ToNumber(numberToF16(65519)), 65504);
    assert.equal(f16ToNumber(numberToF16(65520)), Number.POSITIVE_INFINITY);
    assert.deepEqual(
      roundTensor(tensor("f32", [1], Float32Array.of(1 / 3)), "bf16").data,
      Float32Array.of(0.333984375),
    );
  });
});

describe("host tensors", () => {
  it("refuse arrays that do not fit", () => {
    assert.throws(() => tensor("i32", [1], Float32Array.of(1)), /A tensor of i32 cannot be held by a Float32Array/);
    assert.throws(() => tensor("f32", [2, 2], Float32Array.of(1)), /shape \[2, 2\] has 4 numbers, but 1 were given/);
    assert.equal(bytesOf(Float32Array.of(1, 2).subarray(1)).length, 4);
  });
});
