import assert from "node:assert/strict";
import { type ParameterLayout, parameterChunks } from "../../src/kernels/layout.js";

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
});
