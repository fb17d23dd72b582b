import type { Host } from "../../dsl/host.js";

/** A host whose files live in memory. */
export function memoryHost(): Host & { readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  const read = async (path: string): Promise<Uint8Array> => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`${path} does not exist`);
    return bytes.slice();
  };
  return {
    files,
    readBytes: read,
    readText: async (path) => new TextDecoder().decode(await read(path)),
    async writeBytes(path, bytes) {
      files.set(path, bytes.slice());
    },
    async appendText(path, text) {
      const before = files.get(path) ?? new Uint8Array();
      files.set(path, new Uint8Array([...before, ...new TextEncoder().encode(text)]));
    },
    exists: async (path) => files.has(path),
    async list(path) {
      const names = [...files.keys()]
        .filter((file) => file.startsWith(`${path}/`))
        .map((file) => file.slice(path.length + 1).split("/")[0]!);
      return [...new Set(names)].sort();
    },
    async remove(path) {
      for (const file of [...files.keys()]) if (file === path || file.startsWith(`${path}/`)) files.delete(file);
    },
    resolve: (from, path) => `${from.slice(0, from.lastIndexOf("/") + 1)}${path}`,
    now: () => performance.now() / 1000,
    standardLibrary: async () => undefined,
  };
}
