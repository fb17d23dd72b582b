/// <reference types="@webgpu/types" preserve="true" />
/** Memory of a GPU as one stretch of bytes that may lie in several buffers. */
import type { Connection } from "./connection.js";
import { bufferUsage } from "./usage.js";

/** A stretch of one buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A segment that grows into another. */
interface Predecessor {
  readonly segment: Segment;
  readonly keepContents: boolean;
}

/** WebGPU copies whole words. */
export const wholeWords = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Written at once at most, so that a large transfer does not take its size twice. */
const piece = 1 << 26;

const poison = new Uint8Array(1 << 20).fill(0xff);

export class Segment {
  readonly name: string;
  readonly bytes: number;
  /** Where each buffer starts. */
  readonly starts: readonly number[];
  readonly buffers: readonly GPUBuffer[];

  private constructor(name: string, bytes: number, starts: readonly number[], buffers: readonly GPUBuffer[]) {
    this.name = name;
    this.bytes = bytes;
    this.starts = starts;
    this.buffers = buffers;
  }

  /**
   * Zeroed memory cut at `starts`. With `from`, takes over the buffers of a smaller segment, which is not to be used any more, and its
   * contents where they are to be kept. Rejects with an Error that says what the memory was for when there is none, and then leaves that
   * segment as it was.
   */
  static async allocate(
    connection: Connection,
    name: string,
    bytes: number,
    starts: readonly number[],
    from?: Predecessor,
  ): Promise<Segment> {
    const { result: segment, accepted } = connection.checked(`${bytes} bytes of segment ${name}`, () =>
      Segment.create(connection, name, bytes, starts, from),
    );
    const before = from?.segment;
    try {
      await accepted;
    } catch (error) {
      segment.#freeAllBut(before);
      throw error;
    }
    if (before) before.#freeAllBut(segment);
    return segment;
  }

  /** The same for who asks the GPU whether there is memory, and frees what is replaced. */
  static create(
    { device, queue }: Connection,
    name: string,
    bytes: number,
    starts: readonly number[],
    from?: Predecessor,
  ): Segment {
    const buffers = starts.map((start, number) => {
      // Tensors end in the middle of a word, and a buffer has at least one.
      const size = Math.max(256, Math.ceil(((starts[number + 1] ?? bytes) - start) / 256) * 256);
      const present = from?.segment.buffers[from.segment.starts.indexOf(start)];
      if (present?.size === size) return present;
      const buffer = device.createBuffer({
        label: `segment ${name}`,
        size,
        usage: bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination,
      });
      if (present && from?.keepContents) {
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(present, 0, buffer, 0, Math.min(present.size, size));
        queue.submit([encoder.finish()]);
      }
      return buffer;
    });
    return new Segment(name, bytes, starts, buffers);
  }

  /** The buffers that hold `bytes` from `offset`, each with its part. */
  ranges(offset: number, bytes: number): readonly BufferRange[] {
    const ranges: BufferRange[] = [];
    let at = offset;
    for (let number = this.#bufferAt(offset); at < offset + bytes; number++) {
      const end = Math.min(offset + bytes, this.starts[number + 1] ?? this.bytes);
      ranges.push({ buffer: this.buffers[number]!, offset: at - this.starts[number]!, size: end - at });
      at = end;
    }
    return ranges;
  }

  #bufferAt(offset: number): number {
    let number = this.starts.length - 1;
    while (number > 0 && this.starts[number]! > offset) number--;
    return number;
  }

  /** Enqueues the writing of a few bytes at a multiple of 4. */
  write({ queue }: Connection, offset: number, data: Uint8Array): void {
    let read = 0;
    for (const { buffer, offset: at, size } of this.ranges(offset, data.length)) {
      const part = data.subarray(read, read + size);
      const whole = wholeWords(size);
      if (whole === size) queue.writeBuffer(buffer, at, part as Uint8Array<ArrayBuffer>);
      else {
        const padded = new Uint8Array(whole);
        padded.set(part);
        queue.writeBuffer(buffer, at, padded);
      }
      read += size;
    }
  }

  /** Writes any number of bytes, a piece at a time. Resolves when the GPU took them. */
  async writeAll(connection: Connection, offset: number, data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += piece) {
      const { accepted } = connection.checked(`a write to segment ${this.name}`, () =>
        this.write(connection, offset + start, data.subarray(start, start + piece)),
      );
      await accepted;
      if (data.length > piece) await connection.idle();
    }
  }

  /** Enqueues the writing of NaN, which is -1 as an integer, everywhere. */
  poison({ queue }: Connection): void {
    for (const buffer of this.buffers) {
      for (let offset = 0; offset < buffer.size; offset += poison.length) {
        queue.writeBuffer(buffer, offset, poison, 0, Math.min(poison.length, buffer.size - offset));
      }
    }
  }

  free(): void {
    this.#freeAllBut();
  }

  #freeAllBut(other?: Segment): void {
    for (const buffer of this.buffers) {
      if (!other?.buffers.includes(buffer)) buffer.destroy();
    }
  }
}

/** Encodes the copy of a whole segment to another that is cut alike. */
export function encodeCopy(encoder: GPUCommandEncoder, from: Segment, to: Segment): void {
  for (const [number, buffer] of from.buffers.entries()) {
    encoder.copyBufferToBuffer(buffer, 0, to.buffers[number]!, 0, buffer.size);
  }
}
