/**
 * Products of tiles: a workgroup brings stretches of both operands to workgroup memory, and each of its threads sums some rows and columns of the
 * result. What the rows, columns and sums are is the kernel's.
 */
import { type KernelWriter, workgroupSize } from "./writer.js";

/** A workgroup's threads stand in a square; each sums every eighth row and column of the tile. */
export const side = 8;
/** Length of the stretch of a sum whose operands are in workgroup memory at once. */
export const depth = 16;

/** Rows or columns of one thread: few where a larger tile would mostly lie outside the result. */
const perThread = (extent: number): 1 | 4 => (extent > 2 * side ? 4 : 1);

/** One operand's part of a tile: rows of the left operand, or columns of the right one. Names are those of the kernel's text. */
export interface Side {
  readonly perThread: number;
  /** Lines of a tile. */
  readonly lines: number;
  /** Elements from one k to the next in workgroup memory; odd, so that writing along k meets all banks. */
  readonly pitch: number;
  /** Workgroup memory. */
  readonly array: string;
  /** How many rows or columns the result has. */
  readonly count: string;
  /** The tile's first line, and a thread's place among its lines. */
  readonly first: string;
  readonly thread: string;
}

/** A side of `extent` lines, or about as many: their number is the expression `count`. Declares its workgroup memory. */
export function tileSide(writer: KernelWriter, line: "row" | "column", extent: number, count: string): Side {
  const lines = side * perThread(extent);
  const array = line === "row" ? "left_tile" : "right_tile";
  writer.declare(`var<workgroup> ${array}: array<f32, ${depth * (lines + 1)}>;`);
  return {
    perThread: perThread(extent),
    lines,
    pitch: lines + 1,
    array,
    count,
    first: `first_${line}`,
    thread: `thread_${line}`,
  };
}

/** Names a thread's place in the tile, and its sums. */
export function writeThread(writer: KernelWriter, ofRows: Side, ofColumns: Side): void {
  writer.line(
    `let thread_row = lane / ${side};`,
    `let thread_column = lane % ${side};`,
    `var sums: array<f32, ${ofRows.perThread * ofColumns.perThread}>;`,
  );
}

/** Adds the products of the two operands' functions, of batch, line and k, over k up to `count`, to the sums. */
export function writeSums(
  writer: KernelWriter,
  count: string,
  left: { readonly name: string; readonly alongLines: boolean },
  right: { readonly name: string; readonly alongLines: boolean },
  ofRows: Side,
  ofColumns: Side,
): void {
  writer.open(`for (var first = 0; first < ${count}; first += ${depth}) {`);
  writeStaging(writer, left.name, ofRows, left.alongLines);
  writeStaging(writer, right.name, ofColumns, right.alongLines);
  writer.line("workgroupBarrier();");
  writeProducts(writer, ofRows, ofColumns);
  writer.line("workgroupBarrier();");
  writer.close();
}

/** Every thread brings its share of an operand's tile to workgroup memory, neighbours along what is contiguous. */
function writeStaging(writer: KernelWriter, name: string, tile: Side, alongLines: boolean): void {
  const [near, far] = alongLines ? ["line", "k"] : ["k", "line"];
  const length = alongLines ? tile.lines : depth;
  writer.open(`for (var turn = 0; turn < ${(tile.lines * depth) / workgroupSize}; turn++) {`);
  writer.line(
    `let place = turn * ${workgroupSize} + lane;`,
    `let ${near} = place % ${length};`,
    `let ${far} = place / ${length};`,
    `${tile.array}[k * ${tile.pitch} + line] = ${name}(batch, ${tile.first} + line, first + k);`,
  );
  writer.close();
}

/** Adds the products of the staged stretch to a thread's sums. */
function writeProducts(writer: KernelWriter, ofRows: Side, ofColumns: Side): void {
  writer.open(`for (var k = 0; k < ${depth}; k++) {`);
  for (const { perThread: count, array, pitch, thread } of [ofRows, ofColumns]) {
    for (let line = 0; line < count; line++) {
      const place = line === 0 ? thread : `${thread} + ${line * side}`;
      writer.line(`let ${array}${line} = ${array}[k * ${pitch} + ${place}];`);
    }
  }
  for (let row = 0; row < ofRows.perThread; row++) {
    for (let column = 0; column < ofColumns.perThread; column++) {
      const sum = `sums[${row * ofColumns.perThread + column}]`;
      writer.line(`${sum} = fma(${ofRows.array}${row}, ${ofColumns.array}${column}, ${sum});`);
    }
  }
  writer.close();
}

/** Opens loops over a thread's rows and columns that the result has, as `row` and `column`; gives the expression of their sum. */
export function openResults(writer: KernelWriter, ofRows: Side, ofColumns: Side): string {
  writer.open(`for (var i = 0; i < ${ofRows.perThread}; i++) {`);
  writer.line(`let row = first_row + thread_row + i * ${side};`, `if (row >= ${ofRows.count}) { break; }`);
  writer.open(`for (var j = 0; j < ${ofColumns.perThread}; j++) {`);
  writer.line(
    `let column = first_column + thread_column + j * ${side};`,
    `if (column >= ${ofColumns.count}) { break; }`,
  );
  return `sums[i * ${ofColumns.perThread} + j]`;
}
