/**
 * Programs that were compiled before, by any process of this user and for any target, in the same folder as the compiled kernels. A program
 * may be native code in the end, so only what this very compiler would make is taken: the name of a file covers the compiler's own text, the model's, and all
 * settings. Who can write to the folder could put libraries there as well, so a folder that others can write to is not read (`LibraryCache`);
 * the digest is for what a crash or a disk has torn.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Program } from "../../codegen/program.js";
import { trusted } from "../../codegen/trust.js";
import { cacheFolder, LibraryCache } from "../../runtime/cpu/cache.js";
import type { Model } from "../build/model.js";
import type { CompileOptions } from "../compile.js";
import { programFor, programKey } from "./programs.js";

/** Programs that are kept, those last used. */
const kept = 256;

/** As `programFor`, but what was compiled before is read back. */
export async function cachedProgram(
  model: Model,
  sources: ReadonlyMap<string, string>,
  entry: string,
  options: CompileOptions,
  folder = cacheFolder(),
): Promise<Program> {
  const compiler = await compilerText();
  if (compiler === undefined) return programFor(model, sources, entry, options);
  const cache = new LibraryCache(folder);
  const hash = createHash("sha256").update(compiler);
  const name = `program-${hash
    .update(programKey(model, sources, entry, options))
    .digest("hex")
    .slice(0, 32)}.json`;
  const found = await read(cache, name);
  if (found !== undefined) return trusted(found);
  const program = programFor(model, sources, entry, options);
  const text = textOf(program);
  if (text !== undefined) {
    // A cache that cannot be written only costs time, here and again when the program is wanted next.
    await cache.publish(name, (path) => writeFile(path, `${digestOf(text)}\n${text}`)).catch(() => undefined);
    await removeOldest(folder).catch(() => undefined);
  }
  return program;
}

async function read(cache: LibraryCache, name: string): Promise<Program | undefined> {
  const path = cache.path(name);
  try {
    await cache.requireOwn();
    const text = await readFile(path, "utf8");
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    if (text.slice(0, end) !== digestOf(body)) return undefined;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return JSON.parse(body) as Program;
  } catch {
    return undefined;
  }
}

/** A program as text from which the same program is read back; undefined where JSON has no way to write one of its numbers. */
function textOf(program: Program): string | undefined {
  let exact = true;
  const text = JSON.stringify(program, (_, value: unknown) => {
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) exact = false;
    return value;
  });
  return exact ? text : undefined;
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

async function removeOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^program-[0-9a-f]+\.json$/.test(name));
  if (names.length <= kept) return;
  const used = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  used.sort((a, b) => b.at - a.at);
  for (const { name } of used.slice(kept)) await rm(join(folder, name), { force: true });
}

let text: Promise<string | undefined> | undefined;

/**
 * Digest of every file that has a say in what a program is: another compiler's programs are not this one's. Undefined when one of them
 * has changed since this process began, which therefore may run something else than what they say.
 */
function compilerText(): Promise<string | undefined> {
  text ??= digestOfCompiler();
  return text;
}

async function digestOfCompiler(): Promise<string | undefined> {
  const own = fileURLToPath(import.meta.url);
  const hash = createHash("sha256");
  for (const part of ["dsl", "src", "codegen"]) {
    const folder = join(dirname(own), "../..", part);
    const names = (await readdir(folder, { recursive: true })).sort();
    const files = names.filter((name) => extname(name) === extname(own) && !name.endsWith(".d.ts"));
    const found = await Promise.all(
      files.map(async (name) => {
        const { mtimeMs } = await stat(join(folder, name));
        return { name, mtimeMs, bytes: await readFile(join(folder, name)) };
      }),
    );
    if (found.some(({ mtimeMs }) => mtimeMs >= performance.timeOrigin)) return undefined;
    for (const { name, bytes } of found) hash.update(`${name}:${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}
