/**
 * Executes kernel lists in float64 by the definitions in src/kernels/record.ts, one point after the other as far as anyone can tell: a
 * record in which one point reads what another writes, or two points write one place, is an error. The oracle of `fuse`, `plan` and of
 * every code generator.
 */
import type {
  Access,
  AttentionBackwardKernel,
  AttentionKernel,
  BufferId,
  ContractionKernel,
  ElementwiseKernel,
  GroupedContractionKernel,
  GroupedSumKernel,
  KernelList,
  KernelRecord,
  Operand,
  ReductionKernel,
  ScatterAddKernel,
  SortKernel,
} from "../../src/kernels/record.js";
import { attend, attendBackward } from "../../src/primitives/attention-loops.js";
import type { KernelMemory } from "./memory.js";
import { affine, inside, pointCount } from "./points.js";
import { runProgram } from "./scalar-program.js";

/** Runs all kernels in order. Stops at the first error with the kernel's label. */
export function evaluateKernels(list: KernelList, memory: KernelMemory): void {
  list.kernels.forEach((kernel, place) => {
    try {
      evaluateKernel(kernel, list, memory);
    } catch (error) {
      throw new Error(`kernel ${place} (${kernel.archetype} ${kernel.label}): ${(error as Error).message}`, {
        cause: error,
      });
    }
  });
}

/** Runs one kernel. */
export function evaluateKernel(record: KernelRecord, list: KernelList, memory: KernelMemory): void {
  const run = new KernelRun(list, memory);
  switch (record.archetype) {
    case "elementwise":
      elementwise(record, run);
      break;
    case "reduction":
      reduction(record, run);
      break;
    case "contraction":
      contraction(record, run);
      break;
    case "attention":
      attention(record, run);
      break;
    case "attention_backward":
      attentionBackward(record, run);
      break;
    case "scatter_add":
      scatterAdd(record, run);
      break;
    case "sort":
      sort(record, run);
      break;
    case "grouped_contraction":
    case "grouped_sum":
      grouped(record, run);
      break;
  }
}

const everyPoint = -1;

/** The reads and writes of one kernel, checked against each other: no place may be written by one point and touched by another. */
class KernelRun {
  readonly #list: KernelList;
  readonly #memory: KernelMemory;
  /** Address to the point that read it; `everyPoint` when several did. */
  readonly #reads = new Map<number, number>();
  readonly #writes = new Set<number>();

  constructor(list: KernelList, memory: KernelMemory) {
    this.#list = list;
    this.#memory = memory;
  }

  read(buffer: BufferId, element: number, point: number): number {
    const address = this.#memory.address(buffer, element);
    const reader = this.#reads.get(address);
    this.#reads.set(address, reader === undefined || reader === point ? point : everyPoint);
    return this.#memory.read(buffer, element);
  }

  write(buffer: BufferId, element: number, value: number, point: number): void {
    const { home } = this.#list.buffers[buffer]!;
    if (home.segment === "inputs" || home.segment === "constants" || home.segment === "scalars") {
      throw new Error(`writes to ${home.segment}`);
    }
    const address = this.#memory.address(buffer, element);
    const reader = this.#reads.get(address);
    if (reader !== undefined && reader !== point) throw new Error(`another point reads what point ${point} writes`);
    if (this.#writes.has(address)) throw new Error(`element ${element} of buffer ${buffer} is written twice`);
    this.#writes.add(address);
    this.#memory.write(buffer, element, value);
  }

  /** All elements of a view, as the points `first`, `first + 1`, ... or as every point. */
  load(access: Access, extents: readonly number[], extra?: Float64Array, reader?: number): Float64Array {
    const holds = inside(extents, access);
    return affine(extents, access.offset, access.strides).map((offset, point) =>
      holds[point] ? this.read(access.buffer, offset + (extra?.[point] ?? 0), reader ?? point) : 0,
    );
  }

  store(access: Access, extents: readonly number[], values: Float64Array, writer?: number): void {
    if (access.bounds) throw new Error("a store has bounds");
    affine(extents, access.offset, access.strides).forEach((offset, point) => {
      this.write(access.buffer, offset, values[point]!, writer ?? point);
    });
  }
}

function elementwise({ extents, accesses, body, stores }: ElementwiseKernel, run: KernelRun): void {
  const values = runProgram(body, extents, { load: (access, extra) => run.load(accesses[access]!, extents, extra) });
  for (const { access, value } of stores) run.store(access, extents, values[value]!);
}

function reduction({ extents, reduced, accesses, body, stores }: ReductionKernel, run: KernelRun): void {
  if (reduced < 1 || reduced > extents.length) throw new Error(`${reduced} reduced of ${extents.length} dimensions`);
  const rows = extents.slice(0, extents.length - reduced);
  const length = pointCount(extents.slice(rows.length));
  const zeroWithin = (strides: readonly number[]) => strides.slice(rows.length).every((stride) => stride === 0);
  const values = runProgram(body, extents, {
    load: (access, extra) => run.load(accesses[access]!, extents, extra),
    row: { length },
  });
  const perRow: boolean[] = [];
  body.forEach((instruction, place) => {
    const all = (...operands: number[]) => operands.every((operand) => perRow[operand]);
    perRow[place] = (() => {
      switch (instruction.kind) {
        case "load":
          return loadPerRow(accesses[instruction.access]!, zeroWithin);
        case "load_indexed":
          return loadPerRow(accesses[instruction.access]!, zeroWithin) && all(instruction.index);
        case "constant":
        case "reduce":
          return true;
        case "index":
          return zeroWithin(instruction.strides);
        case "accumulator":
          return false;
        case "unary":
        case "cast":
          return all(instruction.operand);
        case "binary":
          return all(instruction.left, instruction.right);
        case "select":
          return all(instruction.condition, instruction.then, instruction.otherwise);
        case "random":
          return all(instruction.seed, instruction.step, instruction.row, instruction.element);
      }
    })();
  });
  for (const { access, value } of stores) {
    if (perRow[value] && zeroWithin(access.strides)) {
      const first = values[value]!.filter((_, point) => point % length === 0);
      run.store({ ...access, strides: access.strides.slice(0, rows.length) }, rows, first, everyPoint);
    } else {
      run.store(access, extents, values[value]!);
    }
  }
}

const loadPerRow = (access: Access, zeroWithin: (strides: readonly number[]) => boolean) =>
  zeroWithin(access.strides) && (access.bounds ?? []).every((bound) => zeroWithin(bound.strides));

function contraction(record: ContractionKernel, run: KernelRun): void {
  const { batch, rows, columns, accesses, epilogue, stores } = record;
  const outer = [...batch, ...rows, ...columns];
  const accumulator = new Float64Array(pointCount(outer));
  for (const { lhs, rhs, reduced } of record.products) {
    const inner = pointCount(reduced);
    const left = operand(lhs, [...outer, ...reduced], batch.length + rows.length, columns.length, run);
    const right = operand(rhs, [...outer, ...reduced], batch.length, rows.length, run);
    for (let point = 0; point < accumulator.length; point++) {
      for (let index = 0; index < inner; index++) {
        accumulator[point]! += left[point * inner + index]! * right[point * inner + index]!;
      }
    }
  }
  const values = runProgram(epilogue, outer, {
    load: (access, extra) => run.load(accesses[access]!, outer, extra),
    accumulator,
  });
  for (const { access, value } of stores) run.store(access, outer, values[value]!);
}

/** Values of an operand at every point; `from` and `count` name the dimensions it must not depend on. */
function operand(
  { accesses, body }: Operand,
  extents: readonly number[],
  from: number,
  count: number,
  run: KernelRun,
): Float64Array {
  const independent = (strides: readonly number[]) => strides.slice(from, from + count).every((stride) => stride === 0);
  for (const access of accesses) {
    const depends = !independent(access.strides) || access.bounds?.some(({ strides }) => !independent(strides));
    if (depends) throw new Error("an operand depends on dimensions of the other");
  }
  const load = (access: number, extra?: Float64Array) => run.load(accesses[access]!, extents, extra, everyPoint);
  return runProgram(body, extents, { load }).at(-1)!;
}

function attentionExtents(record: AttentionKernel | AttentionBackwardKernel) {
  const { batch, heads, group, queries, keys, width, valueWidth, mask } = record;
  return {
    shape: { lead: pointCount(batch), heads, group, queries, keys, width, valueWidth, maskHeads: heads },
    q: [...batch, heads, queries, width],
    k: [...batch, heads / group, keys, width],
    v: [...batch, heads / group, keys, valueWidth],
    o: [...batch, heads, queries, valueWidth],
    rows: [...batch, heads, queries],
    mask: mask && [...batch, heads, queries, keys],
  };
}

function maskTensor(
  record: AttentionKernel | AttentionBackwardKernel,
  extents: readonly number[] | undefined,
  run: KernelRun,
) {
  if (!record.mask || !extents) return undefined;
  const data = run.load(record.mask, extents, undefined, everyPoint);
  return { type: { dtype: "bool", shape: extents }, data } as const;
}

function attention(record: AttentionKernel, run: KernelRun): void {
  const extents = attentionExtents(record);
  const load = (access: Access, shape: readonly number[]) => run.load(access, shape, undefined, everyPoint);
  const operands = [load(record.q, extents.q), load(record.k, extents.k), load(record.v, extents.v)] as const;
  const mask = maskTensor(record, extents.mask, run);
  const [output, logSum] = attend(extents.shape, record.scale, operands, mask);
  run.store(record.output, extents.o, output);
  run.store(record.logSum, extents.rows, logSum);
}

function attentionBackward(record: AttentionBackwardKernel, run: KernelRun): void {
  const extents = attentionExtents(record);
  const load = (access: Access, shape: readonly number[]) => run.load(access, shape, undefined, everyPoint);
  const operands = [load(record.q, extents.q), load(record.k, extents.k), load(record.v, extents.v)] as const;
  const mask = maskTensor(record, extents.mask, run);
  const output = load(record.output, extents.o);
  const logSum = load(record.logSum, extents.rows);
  const cotangent = load(record.cotangent, extents.o);
  const results = attendBackward(extents.shape, record.scale, operands, mask, output, logSum, cotangent);
  run.store(record.dq, extents.q, results[0]);
  run.store(record.dk, extents.k, results[1]);
  run.store(record.dv, extents.v, results[2]);
}

function scatterAdd({ batch, updates, size, rest, indices, source, target }: ScatterAddKernel, run: KernelRun): void {
  const outer = pointCount(batch);
  const count = pointCount(updates);
  const length = pointCount(rest);
  const index = run.load(indices, [...batch, ...updates], undefined, everyPoint);
  const numbers = run.load(source, [...batch, ...updates, ...rest], undefined, everyPoint);
  const sums = new Float64Array(outer * size * length);
  for (let row = 0; row < outer * count; row++) {
    const clamped = Math.min(Math.max(index[row]!, 0), size - 1);
    const to = (Math.floor(row / count) * size + clamped) * length;
    for (let element = 0; element < length; element++) sums[to + element]! += numbers[row * length + element]!;
  }
  run.store(target, [...batch, size, ...rest], sums);
}

function sort({ batch, length, keys, order }: SortKernel, run: KernelRun): void {
  const extents = [...batch, length];
  const numbers = run.load(keys, extents, undefined, everyPoint);
  const isAfter = (a: number, b: number) => (Number.isNaN(a) ? !Number.isNaN(b) : a > b);
  const places = numbers.map((key, place) => {
    const row = numbers.subarray(place - (place % length)).subarray(0, length);
    return row.filter((other, at) => isAfter(key, other) || (!isAfter(other, key) && at < place % length)).length;
  });
  const sorted = new Float64Array(numbers.length);
  places.forEach((rank, place) => {
    sorted[place - (place % length) + rank] = place % length;
  });
  run.store(order, extents, sorted);
}

/** The group of every row, by the order and the offsets. */
function groupsOf(record: GroupedContractionKernel | GroupedSumKernel, run: KernelRun): number[] {
  const count = pointCount(record.rows);
  const places = run.load(record.order, [count], undefined, everyPoint);
  const starts = run.load(record.offsets, [pointCount(record.groups) + 1], undefined, everyPoint);
  const found = new Array<number>(count).fill(-1);
  for (let group = 0; group < starts.length - 1; group++) {
    for (let place = starts[group]!; place < starts[group + 1]!; place++) found[places[place]!] = group;
  }
  if (found.includes(-1)) throw new Error("a row is in no group");
  return found;
}

function grouped(record: GroupedContractionKernel | GroupedSumKernel, run: KernelRun): void {
  const { rows, groups, archetype } = record;
  const [batch, lines, columns, reduced] = [record.batch, record.lines, record.columns, record.reduced].map(
    pointCount,
  ) as [number, number, number, number];
  const isSum = archetype === "grouped_sum";
  const load = (access: Access, lead: readonly number[], sides: readonly number[]) =>
    run.load(access, [...lead, ...record.batch, ...sides, ...record.reduced], undefined, everyPoint);
  const lhs = load(record.lhs, rows, record.lines);
  const rhs = load(record.rhs, isSum ? rows : groups, record.columns);
  const lead = isSum ? groups : rows;
  const result = new Float64Array(pointCount(lead) * batch * lines * columns);
  groupsOf(record, run).forEach((group, row) => {
    const [from, to] = isSum ? [row, group] : [group, row];
    for (let b = 0; b < batch; b++) {
      for (let l = 0; l < lines; l++) {
        for (let c = 0; c < columns; c++) {
          for (let k = 0; k < reduced; k++) {
            const left = lhs[((row * batch + b) * lines + l) * reduced + k]!;
            result[((to * batch + b) * lines + l) * columns + c]! +=
              left * rhs[((from * batch + b) * columns + c) * reduced + k]!;
          }
        }
      }
    }
  });
  run.store(record.output, [...lead, ...record.batch, ...record.lines, ...record.columns], result);
}
