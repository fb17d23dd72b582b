/** What the kernels of attention share: where a workgroup stands, its views, and sums that its threads share out by channels. */
import type { Access, AttentionBackwardKernel, AttentionKernel } from "../../src/kernels/record.js";
import { viewOf } from "../schedules/space.js";
import { type Coordinates, type KernelWriter, workgroupSize } from "./writer.js";

export type AttentionRecord = AttentionKernel | AttentionBackwardKernel;

/** One batch element, as coordinates of the leading dimensions of every view. */
export interface Place {
  readonly batch: Coordinates;
  /** Number of batch dimensions. */
  readonly rank: number;
}

/**
 * Writes what unit a workgroup is, one for every line (query or key) of every head, and names the head and the line.
 */
export function writePlace(
  writer: KernelWriter,
  record: AttentionRecord,
  head: readonly [name: string, extent: number],
  line: readonly [name: string, extent: number],
): Place {
  const rank = record.batch.length;
  const extents = [...record.batch, head[1], line[1]];
  const coordinates = writer.coordinates(
    extents.map((extent, dimension) => ({ dimension, extent })),
    "unit",
  );
  writer.line(`let ${head[0]} = ${coordinates.get(rank)!};`, `let ${line[0]} = ${coordinates.get(rank + 1)!};`);
  return { batch: new Map([...coordinates].filter(([dimension]) => dimension < rank)), rank };
}

const coordinatesAt = ({ batch, rank }: Place, rest: readonly string[]): Coordinates =>
  new Map([...batch, ...rest.map((coordinate, position): [number, string] => [rank + position, coordinate])]);

/** The element of a view at [...batch, ...rest]; writes its address. `key` names the view among the kernel's arguments. */
export const element = (writer: KernelWriter, key: string, access: Access, place: Place, ...rest: readonly string[]) =>
  writer.read(key, viewOf(access), coordinatesAt(place, rest))();

/** Stores to the element of a view at [...batch, ...rest]. */
export function storeElement(
  writer: KernelWriter,
  key: string,
  access: Access,
  place: Place,
  rest: readonly string[],
  value: string,
): void {
  writer.write(key, viewOf(access), coordinatesAt(place, rest), value);
}

/**
 * How elements of a view are read along one dimension, the one that `rest` leaves undefined: writes where the walk starts, before the loop
 * in which the elements are read.
 */
export function walkAlong(
  writer: KernelWriter,
  key: string,
  access: Access,
  place: Place,
  rest: readonly (string | undefined)[],
): (coordinate: string) => string {
  const fixed = rest.flatMap((coordinate, position): [number, string][] =>
    coordinate === undefined ? [] : [[place.rank + position, coordinate]],
  );
  const read = writer.read(key, viewOf(access), new Map([...place.batch, ...fixed]));
  const dimension = place.rank + rest.indexOf(undefined);
  const stride = access.strides[dimension]!;
  if (stride === 0) return () => read();
  if (stride === 1) return (coordinate) => read(` + ${coordinate}`);
  const step = writer.let("s", writer.integer(`${key}.stride${dimension}`, stride));
  return (coordinate) => read(` + ${coordinate} * ${step}`);
}

type Walk = (coordinate: string) => string;

/** Names the sum over channels of two elements' product. */
export function writeDot(writer: KernelWriter, name: string, width: string, left: Walk, right: Walk): void {
  writer.line(`var ${name} = 0.0f;`);
  writer.open(`for (var channel = 0; channel < ${width}; channel++) {`);
  writer.line(`${name} = fma(${left("channel")}, ${right("channel")}, ${name});`);
  writer.close();
}

/** Adds to `sum` the block's lines from `first` on, each times its weight. */
export function writeWeighted(writer: KernelWriter, element: Walk): void {
  writer.open("for (var j = 0; j < count; j++) {");
  writer.line(`sum = fma(weights[j], ${element("(first + j)")}, sum);`);
  writer.close();
}

/** Declares a thread's sums, all zero: channels are dealt to the workgroup's threads in turn. */
export function writeSums(writer: KernelWriter, width: number): void {
  writer.line(`var sums: array<f32, ${sumsOf(width)}>;`);
}

const sumsOf = (width: number): number => Math.max(1, Math.ceil(width / workgroupSize));

/** For each of a thread's channels, what `each` writes; `sum` may be assigned to. */
export function writeChannels(
  writer: KernelWriter,
  width: number,
  key: string,
  each: (channel: string, sum: string) => void,
): void {
  writer.open(`for (var turn = 0; turn < ${sumsOf(width)}; turn++) {`);
  writer.line(`let channel = turn * ${workgroupSize} + lane;`);
  writer.line(`if (channel >= ${writer.integer(key, width)}) { break; }`);
  each("channel", "sums[turn]");
  writer.close();
}
