/** Collects the text of one WGSL kernel, what it binds and the numbers it takes as arguments. */
import type { Buffer, BufferId } from "../../src/kernels/record.js";
import type { BindingAccess, EmittedBinding, EmittedKernel } from "../emitted.js";
import { segmentOf } from "../layout.js";
import { valueType, wgslDialect } from "../scalar/dialect.js";
import type { Affine, View } from "../schedules/space.js";
import { functionsFor } from "./prelude.js";
import { elementsPerWord, loaded, loadFunction, storageType, stored, storeFunction } from "./storage.js";

/** Coordinates by dimension, as spelled in the text: i32 expressions that may stand anywhere. */
export type Coordinates = ReadonlyMap<number, string>;

/** Threads of a workgroup unless a kernel says otherwise. */
export const workgroupSize = 64;

export class KernelWriter {
  readonly #buffers: readonly Buffer[];
  readonly #written: ReadonlySet<BufferId>;
  readonly #integers = new Map<string, number>();
  readonly #floats = new Map<string, number>();
  readonly #bindings = new Map<BufferId, { position: number; access: BindingAccess }>();
  readonly #before: string[] = [];
  readonly #lines: string[] = [];
  #depth = 1;
  #names = 0;

  /** `written` are the buffers that the kernel will store to: what is written is also read in another way. */
  constructor(buffers: readonly Buffer[], written: Iterable<BufferId>) {
    this.#buffers = buffers;
    this.#written = new Set(written);
  }

  line(...lines: readonly string[]): void {
    for (const line of lines) this.#lines.push("  ".repeat(this.#depth) + line);
  }

  /** Opens a block; `line` ends with a brace. */
  open(line: string): void {
    this.line(line);
    this.#depth++;
  }

  close(): void {
    this.#depth--;
    this.line("}");
  }

  /** A declaration outside the kernel's function: workgroup memory, constants. */
  declare(line: string): void {
    this.#before.push(line);
  }

  /** Writes what `body` writes as a function of its own, before the kernel's. It sees bindings and arguments. */
  defineFunction(head: string, body: () => void): void {
    const lines = this.#lines.splice(0);
    const depth = this.#depth;
    this.#depth = 1;
    body();
    this.#before.push([`${head} {`, ...this.#lines.splice(0), "}"].join("\n"));
    this.#lines.push(...lines);
    this.#depth = depth;
  }

  /** A name that was not used before. */
  fresh(stem: string): string {
    return `${stem}${this.#names++}`;
  }

  /** Names the value of an expression. */
  let(stem: string, expression: string): string {
    const name = this.fresh(stem);
    this.line(`let ${name} = ${expression};`);
    return name;
  }

  /** A number that is an argument of the kernel rather than part of its text: an i32 expression. One key, one argument. */
  integer(key: string, value: number): string {
    if (!Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1) {
      throw new RangeError(`${value} does not fit into a 32-bit argument`);
    }
    return this.#argument(key, value, this.#integers);
  }

  /** The same for an f32. */
  float(key: string, value: number): string {
    return this.#argument(key, value, this.#floats);
  }

  #argument(key: string, value: number, values: Map<string, number>): string {
    const name = key.replaceAll(/\W+/g, "_");
    const known = values.get(name);
    if (known === undefined) values.set(name, value);
    else if (known !== value) throw new Error(`argument ${key} is ${known} and ${value}`);
    return `arguments.${name}`;
  }

  dtype(id: BufferId): Buffer["dtype"] {
    return this.#buffers[id]!.dtype;
  }

  #bind(id: BufferId, access: "read" | "write"): string {
    const bound = this.#bindings.get(id);
    if (!bound) this.#bindings.set(id, { position: this.#bindings.size, access });
    else if (bound.access !== access) bound.access = "update";
    return `b${this.#bindings.get(id)!.position}`;
  }

  /** An affine form at coordinates, as an i32 expression. Whether a stride is 0 or 1 is in the text. */
  affine(key: string, form: Affine, coordinates: Coordinates): string {
    const terms = [this.integer(`${key}.offset`, form.offset)];
    for (const [dimension, coordinate] of coordinates) {
      const stride = form.strides[dimension]!;
      if (stride === 0) continue;
      terms.push(stride === 1 ? coordinate : `${coordinate} * ${this.integer(`${key}.stride${dimension}`, stride)}`);
    }
    return terms.join(" + ");
  }

  /**
   * The value of a view at coordinates, zero (false) outside its bounds: writes where it stands, and returns an expression. `extra` is
   * added to the element's index; what it names must be known where the expression stands.
   */
  read(key: string, view: View, coordinates: Coordinates): (extra?: string) => string {
    const name = this.#bind(view.buffer, "read");
    const dtype = this.dtype(view.buffer);
    const address = this.let("a", this.affine(key, view.address, coordinates));
    const conditions = view.bounds.map((bound, number) => {
      const at = this.affine(`${key}.bound${number}`, bound.form, coordinates);
      return `u32(${at}) < u32(${this.integer(`${key}.bound${number}.size`, bound.size)})`;
    });
    const all = conditions.length > 1 ? conditions.map((one) => `(${one})`).join(" & ") : conditions[0];
    const inside = all === undefined ? undefined : this.let("in", all);
    return (extra = "") => {
      const index = address + extra;
      // What lies outside may not be addressed either.
      const value = loaded(dtype, name, inside ? `select(0, ${index}, ${inside})` : index);
      return inside ? `select(${wgslDialect.literal(0, valueType(dtype))}, ${value}, ${inside})` : value;
    };
  }

  /** Stores a value (of the value type of the buffer's dtype) at coordinates. */
  write(key: string, view: View, coordinates: Coordinates, value: string): void {
    if (!this.#written.has(view.buffer)) throw new Error(`buffer ${view.buffer} was not said to be written`);
    const name = this.#bind(view.buffer, "write");
    const address = this.let("t", this.affine(key, view.address, coordinates));
    this.line(stored(this.dtype(view.buffer), name, address, value));
  }

  /**
   * Coordinates of dimensions counted row-major by one number (an i32 expression): by division. Names are written as constants. An extent
   * that is not the same for all is an i32 expression.
   */
  coordinates(
    dimensions: readonly { readonly dimension: number; readonly extent: number | string }[],
    number: string,
    key = "extent",
  ): Map<number, string> {
    const coordinates = new Map<number, string>();
    let rest = number;
    for (let place = dimensions.length - 1; place >= 0; place--) {
      const { dimension, extent } = dimensions[place]!;
      if (place === 0) {
        coordinates.set(dimension, /^\w+$/.test(rest) ? rest : this.let("c", rest));
        break;
      }
      const size = typeof extent === "string" ? extent : this.integer(`${key}.${dimension}`, extent);
      coordinates.set(dimension, this.let("c", `${rest} % ${size}`));
      rest = this.let("q", `${rest} / ${size}`);
    }
    return new Map([...coordinates].sort(([a], [b]) => a - b));
  }

  /**
   * The kernel of the lines written so far. They see `unit`, the workgroup's number (smaller than `units`), and `lane`, the thread's number
   * in it. Units beyond 65,535 go into a second dimension, which is why the last ones may have nothing to do.
   */
  finish(units: number, cost: number, threads = workgroupSize): EmittedKernel {
    const last = this.integer("units", units);
    const segments = new Set(
      [...this.#bindings.keys()].filter((id) => this.#written.has(id)).map((id) => this.#segment(id)),
    );
    const arrays = [...this.#bindings].map(([id, { position }]) => {
      // Parts of one allocation are bound alike, and scratch is always written by someone.
      const mode = segments.has(this.#segment(id)) || this.#segment(id) === "scratch" ? "read_write" : "read";
      const type = storageType(this.dtype(id), this.#written.has(id));
      return `@group(0) @binding(${position + 1}) var<storage, ${mode}> b${position}: array<${type}>;`;
    });
    const main = [
      `@compute @workgroup_size(${threads})`,
      "fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {",
      "  let unit = i32(group.x + group.y * groups.x);",
      "  let lane = i32(thread);",
      `  if (unit >= ${last}) { return; }`,
      ...this.#lines,
      "}",
    ].join("\n");
    const own = [...this.#narrowAccess(), ...this.#before];
    // Floats stand behind the integers, in vectors of four of their own.
    const members = [
      ...[...this.#integers.keys()].map((name) => `  ${name}: i32,`),
      ...[...this.#floats.keys()].map((name, place) => `  ${place === 0 ? "@align(16) " : ""}${name}: f32,`),
    ];
    return {
      source: paragraphs([
        ["struct Arguments {", ...members, "}"].join("\n"),
        ["@group(0) @binding(0) var<uniform> arguments: Arguments;", ...arrays].join("\n"),
        ...functionsFor([...own, main].join("\n")),
        ...own,
        main,
      ]),
      bindings: [...this.#bindings].map(([buffer, { access }]): EmittedBinding => ({ buffer, access })),
      integers: [...this.#integers.values()],
      floats: [...this.#floats.values()],
      units,
      cost,
    };
  }

  /** Functions that load and store elements of the bound arrays whose elements are narrower than a word. */
  #narrowAccess(): readonly string[] {
    const functions: string[] = [];
    for (const [id, { position, access }] of this.#bindings) {
      const dtype = this.dtype(id);
      if (elementsPerWord(dtype) === 1) continue;
      if (access !== "write") functions.push(loadFunction(dtype, `b${position}`, this.#written.has(id)));
      if (access !== "read") functions.push(storeFunction(dtype, `b${position}`));
    }
    return functions;
  }

  #segment(id: BufferId): string {
    return segmentOf(this.#buffers[id]!.home);
  }
}

/** Parts of a text, those of several lines apart from others. */
function paragraphs(parts: readonly string[]): string {
  const isLine = (part: string | undefined) => part !== undefined && !part.includes("\n");
  return parts
    .map((part, place) => `${isLine(part) && isLine(parts[place - 1]) ? "" : "\n"}${part}\n`)
    .join("")
    .trimStart();
}
