/**
 * All that the compiler and the training runtime need from the machine they run on. Node's implementation stands at the roof
 * (`src/cli/host.ts`); tests and browsers hand in their own.
 */
export interface Host {
  /** Reads a whole file; rejects with an Error that names the path when it does not exist. */
  readBytes(path: string): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
  /** Replaces a file atomically and durably: after a crash at any moment the path holds the old bytes or the new ones, whole. */
  writeBytes(path: string, bytes: Uint8Array): Promise<void>;
  /** Appends text to a file, creating it and its folders when absent. */
  appendText(path: string, text: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** Names (not paths) of the entries of a folder, sorted; empty when the folder does not exist. */
  list(path: string): Promise<readonly string[]>;
  remove(path: string): Promise<void>;
  /** Resolves `path` against the folder that holds `from`. */
  resolve(from: string, path: string): string;
  /** Seconds, monotonic. */
  now(): number;
  /** Text of a standard library module, e.g. "std/layers"; undefined when there is none of that name. */
  standardLibrary(name: string): Promise<string | undefined>;
}
