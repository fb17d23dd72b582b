/** Collects the text of one C kernel and the numbers it takes as arguments. */
import type { Buffer, BufferId } from "../../src/kernels/record.js";
import type { BindingAccess, EmittedKernel } from "../emitted.js";
import type { Affine, View } from "../schedules/space.js";
import { loaded, storageType } from "./storage.js";

/** The head of every kernel's C function. */
const kernelSignature = "void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace)";

/** A dimension's coordinate, as spelled in the text. */
export type Coordinates = ReadonlyMap<number, string>;

/** The innermost loop: the dimension it walks and its variable, an int32_t. */
export interface Lane {
  readonly dimension: number;
  readonly variable: string;
}

export class KernelWriter {
  readonly #buffers: readonly Buffer[];
  readonly #integers: number[] = [];
  readonly #named = new Map<string, string>();
  readonly #bindings = new Map<BufferId, { position: number; access: BindingAccess }>();
  readonly #lines: string[] = [];
  #depth = 1;
  #names = 0;
  #scope = "";

  constructor(buffers: readonly Buffer[]) {
    this.#buffers = buffers;
  }

  line(...lines: readonly string[]): void {
    for (const line of lines) this.#lines.push(line.startsWith("#") ? line : "  ".repeat(this.#depth) + line);
  }

  open(line: string): void {
    this.line(line);
    this.#depth++;
  }

  close(): void {
    this.#depth--;
    this.line("}");
  }

  /** A name that was not used before. */
  fresh(stem: string): string {
    return `${stem}${this.#names++}`;
  }

  /** A number that is an argument of the kernel rather than part of its text; one key, one argument. */
  integer(key: string, value: number): string {
    const scoped = this.#scope + key;
    const known = this.#named.get(scoped);
    if (known) return known;
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer argument`);
    const name = `n[${this.#integers.push(value) - 1}]`;
    this.#named.set(scoped, name);
    return name;
  }

  /** Binds a buffer (once) and returns the pointer's name. */
  buffer(id: BufferId, access: "read" | "write"): string {
    const bound = this.#bindings.get(id);
    if (!bound) this.#bindings.set(id, { position: this.#bindings.size, access });
    else if (bound.access !== access) bound.access = "update";
    return `b${this.#bindings.get(id)!.position}`;
  }

  dtype(id: BufferId): Buffer["dtype"] {
    return this.#buffers[id]!.dtype;
  }

  /** An affine form at fixed coordinates, as an int64_t expression. Dimensions not in `fixed` are left out. */
  affine(key: string, form: Affine, fixed: Coordinates): string {
    const terms = [this.integer(`${key}.offset`, form.offset)];
    for (const [dimension, coordinate] of fixed)
      terms.push(`${coordinate} * ${this.integer(`${key}.${dimension}`, form.strides[dimension]!)}`);
    return terms.join(" + ");
  }

  /** ` + lane * stride` for an element address; nothing where the form stands still. The stride's class 0, 1 or other is in the text. */
  #alongLane(key: string, form: Affine, lane: Lane | undefined, narrow: boolean): string {
    if (!lane) return "";
    const stride = form.strides[lane.dimension]!;
    if (stride === 0) return "";
    if (stride === 1) return ` + ${lane.variable}`;
    // A local, so that no store in the loop can be taken to change it.
    const step = this.fresh("s");
    const type = narrow ? "int32_t" : "int64_t";
    this.line(`const ${type} ${step} = (${type})${this.integer(`${key}.${lane.dimension}`, stride)};`);
    return narrow ? ` + ${lane.variable} * ${step}` : ` + (int64_t)${lane.variable} * ${step}`;
  }

  /**
   * Writes where a view starts at the fixed coordinates, before its innermost loop, and returns how it is read and addressed inside.
   * `guarded` wraps a value so that it is zero outside the view's bounds.
   */
  place(
    key: string,
    view: View,
    fixed: Coordinates,
    lane: Lane | undefined,
    access: "read" | "write",
  ): { readonly element: (extra?: string) => string; readonly guarded: (value: string, zero: string) => string } {
    const pointer = this.buffer(view.buffer, access);
    const base = this.fresh("o");
    this.line(`const int64_t ${base} = ${this.affine(key, view.address, fixed)};`);
    const conditions = view.bounds.map((bound, number) => {
      const start = this.fresh("t");
      const boundKey = `${key}.bound${number}`;
      this.line(`const int32_t ${start} = (int32_t)(${this.affine(boundKey, bound.form, fixed)});`);
      const size = this.fresh("z");
      this.line(`const uint32_t ${size} = (uint32_t)${this.integer(`${boundKey}.size`, bound.size)};`);
      const moving = this.#alongLane(boundKey, bound.form, lane, true);
      const test = `((uint32_t)(${start}${moving}) < ${size})`;
      if (moving !== "") return test;
      const name = this.fresh("in");
      this.line(`const int32_t ${name} = ${test};`);
      return name;
    });
    const moving = this.#alongLane(key, view.address, lane, false);
    return {
      element: (extra = "") => `${pointer}[${base}${moving}${extra}]`,
      guarded: (value, zero) =>
        conditions.length === 0 ? value : `((${conditions.join(" & ")}) ? ${value} : ${zero})`,
    };
  }

  /** As `place` for a load: the expression of the value. */
  read(key: string, view: View, fixed: Coordinates, lane: Lane | undefined): (extra?: string) => string {
    const placed = this.place(key, view, fixed, lane, "read");
    const dtype = this.dtype(view.buffer);
    const isFloat = dtype === "f32" || dtype === "f16" || dtype === "bf16";
    const zero = isFloat ? "0.0f" : dtype === "u32" ? "0u" : "0";
    return (extra) => placed.guarded(loaded(dtype, placed.element(extra)), zero);
  }

  /** An affine index as an int32_t expression; writes its start before the innermost loop. */
  index(key: string, form: Affine, fixed: Coordinates, lane: Lane | undefined): string {
    const start = this.fresh("x");
    this.line(`const int32_t ${start} = (int32_t)(${this.affine(key, form, fixed)});`);
    return `(${start}${this.#alongLane(key, form, lane, true)})`;
  }

  /**
   * Opens the loop over units begin..end and returns the coordinates' names. Units count the given dimensions row-major; the division is
   * done once and the coordinates then advance like an odometer. Call `closeUnits` at the end of the body.
   */
  openUnits(dimensions: readonly { readonly key: string; readonly extent: number }[]): readonly string[] {
    const names = dimensions.map(({ key, extent }, place) => {
      // The outermost coordinate ends with the units.
      if (place > 0) this.line(`const int64_t e${place} = ${this.integer(`extent.${key}`, extent)};`);
      return `c${place}`;
    });
    if (names.length > 0) this.line("int64_t rest = begin;");
    for (let place = names.length - 1; place >= 0; place--) {
      if (place === 0) this.line("int64_t c0 = rest;");
      else this.line(`int64_t c${place} = rest % e${place};`, `rest /= e${place};`);
    }
    this.open("for (int64_t unit = begin; unit < end; unit++) {");
    return names;
  }

  closeUnits(count: number): void {
    for (let place = count - 1; place >= 1; place--) {
      this.open(`if (++c${place} == e${place}) {`);
      this.line(`c${place} = 0;`);
    }
    if (count > 0) this.line("c0++;");
    for (let place = count - 1; place >= 1; place--) this.close();
    this.close();
  }

  /** Where a binding stands in `arguments->buffers`, for runtime functions that are told about it by number. */
  binding(id: BufferId, access: "read" | "write"): number {
    return Number(this.buffer(id, access).slice(1));
  }

  /** Appends numbers that a runtime function reads as one table, and returns where it starts in `arguments->integers`. */
  table(values: readonly number[]): number {
    for (const value of values) {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer argument`);
    }
    return this.#integers.push(...values) - values.length;
  }

  /** From here on, keys of integers are those of a function of its own. */
  startFunction(scope: string): void {
    this.#scope = `${scope}:`;
  }

  /**
   * Ends a function of the lines written so far. It takes the arguments in a parameter of that name and sees the bindings and integers
   * of all that was written with this writer.
   */
  takeFunction(signature: string): string {
    const pointers = [...this.#bindings].map(([id, { position, access }]) => {
      const type = storageType(this.dtype(id));
      return access === "read"
        ? `  const ${type} *const b${position} = arguments->buffers[${position}];`
        : `  ${type} *const b${position} = arguments->buffers[${position}];`;
    });
    const lines = this.#lines.splice(0);
    return [`${signature} {`, "  const int64_t *const n = arguments->integers;", ...pointers, ...lines, "}", ""].join(
      "\n",
    );
  }

  /** The kernel; `before` is text that stands before its function. */
  finish(units: number, cost: number, before = ""): EmittedKernel {
    return {
      source: before + this.takeFunction(kernelSignature),
      bindings: [...this.#bindings].map(([buffer, { access }]) => ({ buffer, access })),
      integers: this.#integers,
      floats: [],
      units,
      cost,
    };
  }
}
