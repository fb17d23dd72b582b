import assert from "node:assert/strict";
import { type ParameterLayout, parameterChunks, pieceBytes } from "../../src/kernels/layout.js";

/** Tensors of so many bytes, one after the other. */
function layoutOf(...sizes: readonly number[]): ParameterLayout {
  let bytes = 0;
  const places = sizes.map((size, number) => {
    const offset = bytes;
    bytes += Math.ceil(size / 256) * 256;
    return { path: `p${number}`, dtype: "f32" as const, shape: [size / 4], offset };
  });
  return { places, bytes };
}

describe("cutting parameters into buffers", () => {
  it("keeps together what fits", () => {
    assert.deepEqual(parameterChunks(layoutOf(256, 4, 256), 768), [0]);
    assert.deepEqual(parameterChunks(layoutOf(), 256), [0]);
  });

  it("cuts before the first tensor that would not fit whole", () => {
    assert.deepEqual(parameterChunks(layoutOf(256, 512, 256, 256, 768), 768), [0, 768, 1280]);
    assert.deepEqual(parameterChunks(layoutOf(512, 512, 4), 768), [0, 512]);
  });

  it("goes by place, not by the order in which tensors are named", () => {
    const { places, bytes } = layoutOf(512, 512, 512);
    assert.deepEqual(parameterChunks({ places: places.toReversed(), bytes }, 512), [0, 512, 1024]);
  });

  it("names a tensor that cannot be bound at all", () => {
    assert.throws(() => parameterChunks(layoutOf(4, 1024), 512), /"p1" has 1024 bytes, but at most 512/);
  });

  it("cuts where a device that binds more cuts only where one that binds the least cuts too", () => {
    const mebibyte = 1 << 20;
    const layout = layoutOf(...Array.from({ length: 60 }, (_, number) => (30 + ((number * 37) % 70)) * mebibyte));
    const least = new Set(parameterChunks(layout, 128 * mebibyte));
    for (const more of [200, 256, 1000, 2047]) {
      const cuts = parameterChunks(layout, more * mebibyte);
      for (const cut of cuts) assert.ok(least.has(cut), `${cut} under ${more} MiB`);
      for (const [place, cut] of cuts.entries()) {
        const bytes = (cuts[place + 1] ?? layout.bytes) - cut;
        assert.ok(bytes <= more * mebibyte, `${bytes} bytes under ${more} MiB`);
      }
      assert.equal(pieceBytes(more * mebibyte) % (128 * mebibyte), 0);
    }
    assert.ok(parameterChunks(layout, 2047 * mebibyte).length < least.size / 8);
    assert.deepEqual(parameterChunks(layoutOf(256 * mebibyte, 4, 256 * mebibyte), 300 * mebibyte), [
      0,
      256 * mebibyte + 256,
    ]);
  });
});
