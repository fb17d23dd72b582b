/** Native memory with an owner. */
import { bytesAt, type NativeRuntime, type Pointer } from "./native.js";

export class NativeMemory {
  readonly bytes: number;
  readonly pointer: Pointer;
  readonly #runtime: NativeRuntime;
  #freed = false;
  #whole: Uint8Array | undefined;

  /** Zeroed. Throws an Error that says what the memory was for when there is none. */
  constructor(runtime: NativeRuntime, bytes: number, purpose: string) {
    const pointer = runtime.allocate(Math.max(bytes, 1));
    if (pointer === null) throw new Error(`Out of memory: ${purpose} needs ${bytes} bytes`);
    this.#runtime = runtime;
    this.bytes = bytes;
    this.pointer = pointer;
  }

  /** The memory itself, without a copy. Not to be kept: it is gone when the memory is freed. */
  view(offset = 0, length = this.bytes - offset): Uint8Array {
    if (this.#freed) throw new Error("The memory was freed");
    this.#whole ??= bytesAt(this.pointer, this.bytes);
    return this.#whole.subarray(offset, offset + length);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#whole = undefined;
    this.#runtime.free(this.pointer, Math.max(this.bytes, 1));
  }
}
