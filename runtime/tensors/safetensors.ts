/**
 * The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the header's length, a JSON header, then the
 * tensors' bytes without holes. Whatever is wrong with a file is said with the file's and the tensor's name.
 */
import { elementCount, type Shape } from "../../src/graph/shape.js";
import { ConversionError, convertTensor } from "./convert.js";
import { digest } from "./digest.js";
import {
  bytesPerFileElement,
  decodeElements,
  encodeElements,
  type FileDtype,
  fileDtypeOf,
  isFileDtype,
} from "./elements.js";
import { duplicateKey } from "./json.js";
import type { StoredDtype, Tensor } from "./tensor.js";

/** A malformed file, a tensor that is not there, or numbers that do not survive the dtype asked for. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
  constructor(
    readonly file: string,
    message: string,
    /** The tensor concerned, when it is one. */
    readonly tensor?: string,
  ) {
    super(tensor === undefined ? `${file}: ${message}` : `${file}: tensor "${tensor}" ${message}`);
  }
}

export interface SafetensorsEntry {
  readonly dtype: FileDtype;
  readonly shape: Shape;
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsFile {
  /** What messages call it. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /**
   * One tensor. F16 and BF16 keep their dtype; F64 becomes f32, I64, I16 and I8 become i32, U8 becomes u32, unless `dtype` says
   * otherwise. Throws SafetensorsError when a number would change on the way.
   */
  tensor(name: string, dtype?: StoredDtype): Tensor;
  /** Digest of the data, for comparison with a recorded one. */
  digest(): string;
}

/** Longest header that is read, as in the format's own reader. */
const longestHeader = 100_000_000;

const metadataKey = "__metadata__";

/** Parses a file held in memory; the tensors are decoded when asked for. */
export function readSafetensors(bytes: Uint8Array, file: string): SafetensorsFile {
  if (bytes.length < 8)
    throw new SafetensorsError(file, `is ${bytes.length} bytes long; a safetensors file has at least 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(longestHeader)) {
    throw new SafetensorsError(file, `says that its header has ${length} bytes; at most ${longestHeader} are read`);
  }
  if (Number(length) > bytes.length - 8) {
    throw new SafetensorsError(file, `ends inside its header, which should have ${length} bytes`);
  }
  const data = bytes.subarray(8 + Number(length));
  const header = parseHeader(bytes.subarray(8, 8 + Number(length)), file);

  let metadata: Record<string, string> = {};
  const listed: [string, SafetensorsEntry][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) metadata = checkMetadata(value, file);
    else listed.push([name, checkEntry(name, value, data.length, file)]);
  }
  listed.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkCovering(listed, data.length, file);

  const entries = new Map(listed);
  let computed: string | undefined;
  return {
    file,
    metadata,
    entries,
    tensor(name, dtype) {
      const entry = entries.get(name);
      if (entry === undefined) throw new SafetensorsError(file, "is not there", name);
      try {
        const decoded = decodeElements(entry.dtype, data.subarray(entry.begin, entry.end));
        const found: Tensor = { dtype: decoded.dtype, shape: entry.shape, data: decoded.data };
        return dtype === undefined ? found : convertTensor(found, dtype);
      } catch (error) {
        if (error instanceof ConversionError) throw new SafetensorsError(file, error.message, name);
        throw error;
      }
    },
    digest: () => (computed ??= digest(data)),
  };
}

/** Name in the metadata under which `writeSafetensors` can record the digest of the data. */
export const digestKey = "digest";

/**
 * The bytes of a file. Equal tensors and metadata give equal bytes: wider elements come first (so that everything is aligned), then
 * by name. With `withDigest`, `metadata.digest` is that of the data. Throws SafetensorsError, in the name of `file`, for numbers that
 * the tensor's dtype cannot hold.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: { readonly withDigest?: boolean; readonly file?: string } = {},
): Uint8Array {
  const file = options.file ?? "safetensors";
  const ordered = [...tensors].sort(
    ([a, left], [b, right]) =>
      bytesPerFileElement[fileDtypeOf(right.dtype)] - bytesPerFileElement[fileDtypeOf(left.dtype)] || (a < b ? -1 : 1),
  );
  const header: Record<string, unknown> = Object.create(null);
  let size = 0;
  const begins = ordered.map(([name, tensor]) => {
    if (name === metadataKey)
      throw new SafetensorsError(file, "cannot be written: the name is taken by the format", name);
    const dtype = fileDtypeOf(tensor.dtype);
    const elements = elementCount(tensor.shape);
    if (elements !== tensor.data.length) {
      throw new SafetensorsError(
        file,
        `has ${tensor.data.length} numbers for the shape [${tensor.shape.join(", ")}]`,
        name,
      );
    }
    const begin = size;
    size += elements * bytesPerFileElement[dtype];
    header[name] = { dtype, shape: tensor.shape, data_offsets: [begin, size] };
    return begin;
  });

  const headerBytes = (data: string): Uint8Array => {
    const shown = sortedByKey(options.withDigest ? { ...metadata, [digestKey]: data } : metadata);
    const text = JSON.stringify(Object.keys(shown).length === 0 ? header : { [metadataKey]: shown, ...header });
    const encoded = new TextEncoder().encode(text);
    // Spaces bring the data to a multiple of eight bytes.
    const padded = new Uint8Array(Math.ceil(encoded.length / 8) * 8).fill(0x20);
    padded.set(encoded);
    return padded;
  };
  // The digest comes after the data is in place; it always has the same length, so the header does not move.
  const start = 8 + headerBytes("0".repeat(16)).length;
  const bytes = new Uint8Array(start + size);
  ordered.forEach(([name, tensor], index) => {
    try {
      encodeElements(tensor, bytes, start + begins[index]!);
    } catch (error) {
      if (error instanceof ConversionError) throw new SafetensorsError(file, error.message, name);
      throw error;
    }
  });
  bytes.set(headerBytes(options.withDigest ? digest(bytes.subarray(start)) : ""), 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  return bytes;
}

function sortedByKey(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new SafetensorsError(file, "has a header that is not UTF-8 text");
  }
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw new SafetensorsError(file, `has a header that is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(header)) throw new SafetensorsError(file, "has a header that is not a JSON object");
  const twice = duplicateKey(text);
  if (twice?.depth === 1) throw new SafetensorsError(file, "is listed twice", twice.key);
  if (twice !== undefined) throw new SafetensorsError(file, `gives "${twice.key}" twice`, twice.path[0]);
  return header;
}

function checkMetadata(value: unknown, file: string): Record<string, string> {
  if (!isRecord(value)) throw new SafetensorsError(file, `has "${metadataKey}" that is not a JSON object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new SafetensorsError(file, `has metadata "${key}" that is not a string`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataBytes: number, file: string): SafetensorsEntry {
  const fail = (message: string): never => {
    throw new SafetensorsError(file, message, name);
  };
  if (!isRecord(value)) return fail("is not described by a JSON object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isFileDtype(dtype))
    return fail(`has the dtype ${JSON.stringify(dtype)}, which is not read`);
  if (!Array.isArray(shape) || !shape.every(isSize))
    return fail(`has the shape ${JSON.stringify(shape)}; sizes are whole numbers from 0`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return fail(`has the offsets ${JSON.stringify(offsets)}; two whole numbers are needed`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) return fail(`ends at byte ${end}, before it begins at ${begin}`);
  if (end > dataBytes) return fail(`ends at byte ${end}, but the file has only ${dataBytes} bytes of data`);
  const bytes = elementCount(shape) * bytesPerFileElement[dtype];
  if (bytes !== end - begin) {
    return fail(`has ${end - begin} bytes, but ${dtype} of shape [${shape.join(", ")}] needs ${bytes}`);
  }
  return { dtype, shape, begin, end };
}

/** The format allows neither overlaps nor holes. */
function checkCovering(listed: readonly [string, SafetensorsEntry][], dataBytes: number, file: string): void {
  let covered = 0;
  let previous = "";
  for (const [name, entry] of listed) {
    if (entry.begin < covered) throw new SafetensorsError(file, `overlaps tensor "${previous}"`, name);
    if (entry.begin > covered) {
      throw new SafetensorsError(
        file,
        `begins at byte ${entry.begin}, but what stands before it ends at ${covered}`,
        name,
      );
    }
    covered = entry.end;
    previous = name;
  }
  if (covered !== dataBytes) {
    throw new SafetensorsError(
      file,
      `has ${dataBytes} bytes of data, of which ${dataBytes - covered} belong to no tensor`,
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}
