/** The numbers that kernels take as arguments, as the bytes of one uniform buffer. */
import type { Launch } from "../../codegen/program.js";

/** Uniform buffers are bound at multiples of this many bytes. */
const alignment = 256;

export interface PackedArguments {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each launch's arguments stand. */
  readonly places: readonly { readonly offset: number; readonly size: number }[];
}

/** Bytes of a launch's arguments: of the integers and of the floats, each in whole vectors of four. */
export const argumentBytes = ({ integers, floats }: Launch): number =>
  16 * (Math.ceil(integers.length / 4) + Math.ceil(floats.length / 4));

/**
 * Integers stand before floats, each in whole vectors of four. Equal arguments stand in one place. Throws an Error that names a kernel
 * with an integer of more than 32 bits.
 */
export function packArguments(launches: readonly Launch[]): PackedArguments {
  const known = new Map<string, { readonly offset: number; readonly size: number }>();
  const blocks: {
    readonly offset: number;
    readonly integers: readonly number[];
    readonly floats: readonly number[];
  }[] = [];
  let bytes = 0;
  const places = launches.map((launch) => {
    const { label, integers, floats } = launch;
    const wide = integers.find((value) => Math.abs(value) > 2 ** 31 - 1);
    if (wide !== undefined)
      throw new Error(`Kernel ${JSON.stringify(label)} has the argument ${wide}, which does not fit into 32 bits`);
    const key = `${integers.join(",")};${floats.join(",")}`;
    let place = known.get(key);
    if (!place) {
      place = { offset: bytes, size: argumentBytes(launch) };
      known.set(key, place);
      blocks.push({ offset: place.offset, integers, floats });
      bytes += Math.ceil(place.size / alignment) * alignment;
    }
    return place;
  });
  const data = new DataView(new ArrayBuffer(bytes));
  for (const { offset, integers, floats } of blocks) {
    for (const [number, value] of integers.entries()) data.setInt32(offset + 4 * number, value, true);
    const start = offset + 16 * Math.ceil(integers.length / 4);
    for (const [number, value] of floats.entries()) data.setFloat32(start + 4 * number, value, true);
  }
  return { bytes: new Uint8Array(data.buffer), places };
}
