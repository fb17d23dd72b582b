import assert from "node:assert/strict";
import { compileLibrary, openRuntime, type Runtime } from "./native.js";

/** Kernels over a row of floats: unit u is element u. */
const kernels = `
#include <math.h>
#include "weft.h"
void add_one(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const float *from = arguments->buffers[0];
  float *to = arguments->buffers[1];
  (void)workspace;
  for (int64_t u = begin; u < end; u++) to[u] = from[u] + 1.0f;
}
void divide(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const float *from = arguments->buffers[0];
  float *to = arguments->buffers[1];
  (void)workspace;
  for (int64_t u = begin; u < end; u++) to[u] = arguments->floats[0] / from[u];
}
`;

const units = 1000;
const read = 0;
const write = 1;

interface LaunchOptions {
  readonly from: number;
  readonly to: number;
  readonly floats?: readonly number[];
  readonly units?: number;
  readonly cost?: number;
  readonly bytes?: number;
}

describe("the C runtime's launch lists", function () {
  this.timeout(60_000);
  let runtime: Runtime;
  let library: unknown;

  before(() => {
    const path = compileLibrary(kernels);
    runtime = openRuntime(path);
    library = runtime.load(path);
  });

  function add(program: unknown, kernel: string, options: LaunchOptions): void {
    const bytes = BigInt(options.bytes ?? units * 4);
    const floats = options.floats ?? [];
    runtime.programAdd(
      program,
      runtime.symbol(library, kernel),
      2,
      Int32Array.of(options.from, options.to),
      BigInt64Array.of(0n, 0n),
      BigInt64Array.of(bytes, bytes),
      Int32Array.of(read, write),
      Int32Array.of(1, 1),
      0,
      BigInt64Array.of(),
      floats.length,
      Float32Array.from(floats),
      options.units ?? units,
      options.cost ?? 1e6,
    );
  }

  const bindAll = (program: unknown, segments: readonly Float32Array[]) =>
    segments.map((segment, number) => Number(runtime.programBind(program, number, segment, segment.byteLength)));

  it("run in order, each launch after all of the one before, on any number of threads", () => {
    for (const threads of [1, 2, 3, 7]) {
      const pool = runtime.poolCreate(threads);
      const program = runtime.programCreate(2);
      const launches = 500;
      // Cheap launches, which one thread runs, between dear ones, which all do.
      for (let launch = 0; launch < launches; launch++) {
        add(program, "add_one", { from: launch % 2, to: 1 - (launch % 2), cost: launch % 3 === 0 ? 100 : 1e6 });
      }
      const segments = [new Float32Array(units), new Float32Array(units)];
      bindAll(program, segments);
      for (let run = 1; run <= 3; run++) {
        assert.equal(runtime.run(pool, program), 0);
        assert.deepEqual(segments[0], new Float32Array(units).fill(run * launches));
      }
      runtime.programDestroy(program);
      runtime.poolDestroy(pool);
    }
  });

  it("wait for each other when two runs share a pool", async () => {
    const pool = runtime.poolCreate(2);
    const programs = [0, 1].map(() => {
      const program = runtime.programCreate(1);
      for (let launch = 0; launch < 300; launch++) add(program, "add_one", { from: 0, to: 0 });
      return program;
    });
    const segment = new Float32Array(units);
    for (const program of programs) bindAll(program, [segment]);
    const runs = programs.map(
      (program) =>
        new Promise<void>((resolve, reject) => {
          runtime.run.async(pool, program, (error: Error | null, code: number) =>
            error || code !== 0 ? reject(error ?? new Error(`code ${code}`)) : resolve(),
          );
        }),
    );
    await Promise.all(runs);
    assert.deepEqual(segment, new Float32Array(units).fill(600));
    for (const program of programs) runtime.programDestroy(program);
    runtime.poolDestroy(pool);
  });

  it("refuse a segment that is too small for a binding, naming the launch", () => {
    const program = runtime.programCreate(2);
    add(program, "add_one", { from: 0, to: 1, bytes: 400, units: 100 });
    add(program, "add_one", { from: 0, to: 1 });
    assert.deepEqual(bindAll(program, [new Float32Array(units), new Float32Array(100)]), [-1, 1]);
    runtime.programDestroy(program);
  });

  it("do not run before every segment is bound", () => {
    const pool = runtime.poolCreate(2);
    const program = runtime.programCreate(2);
    add(program, "add_one", { from: 0, to: 1 });
    const segment = new Float32Array(units);
    runtime.programBind(program, 0, segment, segment.byteLength);
    assert.equal(runtime.run(pool, program), -1);
    assert.equal(Number(runtime.runChecked(pool, program)), -2);
    assert.equal(runtime.profile(pool, program, new BigInt64Array(1)), -1);
    runtime.programDestroy(program);
    runtime.poolDestroy(pool);
  });

  it("name the first launch that leaves a non-finite number, not what stood there before", () => {
    const pool = runtime.poolCreate(2);
    const program = runtime.programCreate(3);
    // Writes a part of segment 1, whose rest holds NaN from before.
    add(program, "add_one", { from: 0, to: 1, units: 10 });
    add(program, "divide", { from: 0, to: 2, floats: [1] });
    add(program, "add_one", { from: 2, to: 1 });
    const ones = new Float32Array(units).fill(1);
    const segments = [ones, new Float32Array(units).fill(Number.NaN), new Float32Array(units)];
    bindAll(program, segments);
    assert.equal(Number(runtime.runChecked(pool, program)), -1);
    ones[777] = 0;
    assert.equal(Number(runtime.runChecked(pool, program)), 1);
    runtime.programDestroy(program);
    runtime.poolDestroy(pool);
  });

  it("measure every launch", () => {
    const pool = runtime.poolCreate(2);
    const program = runtime.programCreate(2);
    for (let launch = 0; launch < 5; launch++) add(program, "add_one", { from: 0, to: 1 });
    bindAll(program, [new Float32Array(units), new Float32Array(units)]);
    const times = new BigInt64Array(5);
    assert.equal(runtime.profile(pool, program, times), 0);
    assert.ok(times.every((time) => time > 0n));
    runtime.programDestroy(program);
    runtime.poolDestroy(pool);
  });

  it("tell why a library cannot be opened", () => {
    assert.equal(runtime.load("/nonexistent/kernels.so"), null);
    assert.match(runtime.loadError(), /nonexistent/);
  });
});
