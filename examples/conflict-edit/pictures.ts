/**
 * The pictures: Twemoji rasterised on flat backgrounds, or any folder of PNG, JPEG and WebP files, cropped and scaled. Split into
 * training, validation and test pictures by family, so that skin tones and genders of one emoji never stand on two sides.
 */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import sharp from "sharp";

/** Side of a picture in pixels. */
export const pictureSize = 32;
/** Numbers in a picture: 3 channels of 32 x 32, channel by channel, each in [0, 1]. */
export const pictureNumbers = 3 * pictureSize * pictureSize;

export type Split = "train" | "validation" | "test";

export interface Pictures {
  readonly names: readonly string[];
  /** Row i is picture i: [3, 32, 32] in [0, 1]. */
  readonly pixels: Float32Array;
  readonly splits: Readonly<Record<Split, readonly number[]>>;
}

/** Reads all pictures: of `folder` when one is given, else Twemoji. A file that cannot be read is named to `warn` and skipped. */
export async function loadPictures(folder: string | undefined, warn: (message: string) => void): Promise<Pictures> {
  const root = folder === undefined ? twemojiFolder() : resolve(folder);
  const extensions = folder === undefined ? [".svg"] : [".png", ".jpg", ".jpeg", ".webp"];
  const entries = await readdir(root, { recursive: true }).catch((error: Error) => {
    throw new Error(`cannot read the picture folder ${root}: ${error.message}`);
  });
  const files = entries.filter((name) => extensions.includes(extname(name).toLowerCase())).sort();
  if (files.length === 0) throw new Error(`no pictures in ${root}: expected files ending in ${extensions.join(", ")}`);
  const loaded: { name: string; pixels: Float32Array }[] = [];
  const atOnce = 32;
  for (let first = 0; first < files.length; first += atOnce) {
    const rows = await Promise.all(
      files.slice(first, first + atOnce).map(async (name) => {
        try {
          return { name, pixels: await rasterise(join(root, name), backgroundOf(name)) };
        } catch (error) {
          warn(`skipped ${name}: ${(error as Error).message.split("\n")[0]}`);
          return undefined;
        }
      }),
    );
    for (const row of rows) if (row) loaded.push(row);
  }
  if (loaded.length < 20) throw new Error(`only ${loaded.length} readable pictures in ${root}; at least 20 are needed`);
  const pixels = new Float32Array(loaded.length * pictureNumbers);
  for (const [index, row] of loaded.entries()) pixels.set(row.pixels, index * pictureNumbers);
  const names = loaded.map((row) => row.name);
  return { names, pixels, splits: splitByFamily(names, folder === undefined) };
}

function twemojiFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@twemoji/svg/package.json"));
}

/** [3, 32, 32] in [0, 1]: covers the square, cropped at the centre, transparent parts over a flat colour. */
async function rasterise(path: string, background: { r: number; g: number; b: number }): Promise<Float32Array> {
  const { data, info } = await sharp(path)
    .resize(pictureSize, pictureSize, { fit: "cover" })
    .flatten({ background })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`expected 3 channels, found ${info.channels}`);
  const pixels = new Float32Array(pictureNumbers);
  const area = pictureSize * pictureSize;
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++) pixels[channel * area + pixel] = data[pixel * 3 + channel]! / 255;
  }
  return pixels;
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** A pastel of the name's own, so that no background colour goes with a kind of picture. */
function backgroundOf(name: string): { r: number; g: number; b: number } {
  const bytes = hash(`background ${name}`);
  const pastel = (byte: number): number => 150 + Math.floor((byte * 100) / 255);
  return { r: pastel(bytes[0]!), g: pastel(bytes[1]!), b: pastel(bytes[2]!) };
}

/** Code points that only vary a picture: skin tones, hair, gender signs, joiners and presentation selectors. */
const variations = /^(1f3f[b-f]|1f9b[0-3]|2640|2642|200d|fe0f)$/;
const people = /^(1f466|1f467|1f468|1f469|1f9d1)$/;

/** The family of a Twemoji file: what is left of its code points when variations are taken away and all people are one. */
export function familyOf(name: string): string {
  const codePoints = name.replace(/\.svg$/, "").split("-");
  const kept = codePoints
    .filter((point) => !variations.test(point))
    .map((point) => (people.test(point) ? "person" : point));
  return [...new Set(kept)].sort().join("-") || name;
}

/** About 80 % of the families for training, 8 % for validation, the rest for testing, where each family shows one picture. */
function splitByFamily(names: readonly string[], twemoji: boolean): Record<Split, readonly number[]> {
  const families = new Map<string, number[]>();
  names.forEach((name, index) => {
    const family = twemoji ? familyOf(name) : name;
    families.set(family, [...(families.get(family) ?? []), index]);
  });
  const splits: Record<Split, number[]> = { train: [], validation: [], test: [] };
  const placed = [...families].map(([family, members]) => ({
    place: hash(`split ${family}`).readUInt32BE(0) / 2 ** 32,
    members,
  }));
  // In order of the hash, so that the first few held-out pictures are of all kinds.
  for (const { place, members } of placed.sort((a, b) => a.place - b.place)) {
    if (place < 0.8) splits.train.push(...members);
    else splits[place < 0.88 ? "validation" : "test"].push(members[0]!);
  }
  return splits;
}
