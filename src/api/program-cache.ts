/**
 * Programs that were compiled before, by any process of this user, in the same folder as the compiled kernels. A program is native code in
 * the end, so only what this very compiler would make is taken: the name of a file covers the compiler's own text, the model's, and all
 * settings. Who can write to the folder could put libraries there as well, so a folder that others can write to is not read (`LibraryCache`);
 * the digest is for what a crash or a disk has torn.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
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
  const cache = new LibraryCache(folder);
  const hash = createHash("sha256").update(await compilerText());
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

let text: Promise<string> | undefined;

/** Digest of every file that has a say in what a program is: another compiler's programs are not this one's. */
function compilerText(): Promise<string> {
  text ??= digestOfCompiler();
  return text;
}

async function digestOfCompiler(): Promise<string> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const extension = fileURLToPath(import.meta.url)
    .slice(dirname(fileURLToPath(import.meta.url)).length)
    .split(".")
    .at(-1)!;
  const hash = createHash("sha256");
  for (const part of ["dsl", "src", "codegen"]) {
    const names = (await readdir(join(root, part), { recursive: true })).sort();
    const files = names.filter((name) => name.endsWith(`.${extension}`) && !name.endsWith(".d.ts"));
    const texts = await Promise.all(files.map((name) => readFile(join(root, part, name))));
    files.forEach((name, place) => {
      hash.update(`${name}:${texts[place]!.length}:`).update(texts[place]!);
    });
  }
  return hash.digest("hex");
}
