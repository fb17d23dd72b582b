import { access } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Host } from "../../dsl/host.js";
import { readSafetensors } from "../../runtime/tensors/safetensors.js";
import { type DataSource, type MemoryColumn, memorySource } from "../../runtime/training/data.js";

/** What a data binding module exports: `export async function sources(options): Promise<DataSource[]>`. */
export interface DataModule {
  sources(options: DataOptions): Promise<readonly DataSource[]> | readonly DataSource[];
}

export interface DataOptions {
  /** `--data DIR`, when given. */
  readonly folder?: string;
  readonly warn: (message: string) => void;
}

/** The binding module beside a .weft file: `NAME.data.js` for `NAME.weft` (or .ts where a loader for it runs); undefined when there is none. */
export async function dataModuleBeside(file: string): Promise<string | undefined> {
  const stem = file.slice(0, file.length - extname(file).length);
  for (const extension of [".data.js", ".data.mjs", ".data.ts"]) {
    const path = resolve(`${stem}${extension}`);
    if (await isThere(path)) return path;
  }
  return undefined;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Loads a binding module and asks it for its sources. Rejects with an Error when there is no such file or it exports no `sources`. */
export async function loadDataModule(path: string, options: DataOptions): Promise<readonly DataSource[]> {
  if (!(await isThere(path))) throw new Error(`there is no file ${path}`);
  const module = (await import(pathToFileURL(resolve(path)).href)) as Partial<DataModule>;
  if (typeof module.sources !== "function") throw new Error(`${path} exports no function "sources"`);
  return module.sources(options);
}

/** Every tensor of a safetensors file as a column of that name; the first axis counts rows. */
export async function safetensorsSource(name: string, path: string, host: Host): Promise<DataSource> {
  const file = readSafetensors(await host.readBytes(path), path);
  const columns: Record<string, MemoryColumn> = {};
  for (const column of file.entries.keys()) {
    const { dtype, shape, data } = file.tensor(column);
    if (shape.length === 0) throw new Error(`${path}: tensor "${column}" has no axis, so it has no rows`);
    if (dtype === "f16" || dtype === "bf16") columns[column] = { dtype: "f32", shape: shape.slice(1), data };
    else columns[column] = { dtype, shape: shape.slice(1), data };
  }
  if (Object.keys(columns).length === 0) throw new Error(`${basename(path)} holds no tensors`);
  return memorySource(name, columns);
}
