/** Whether what was read from a file has the form of a program, before anything looks at what it says. */
import type { Program } from "../codegen/program.js";
import { isDtype } from "../src/graph/dtype.js";
import type { ScalarName } from "../src/primitives/names.js";
import { segmentNames } from "./segments.js";

/** What is wrong with a value: where in it, and what is there instead of what should be. */
interface Fault {
  readonly at: string;
  readonly message: string;
}

type Form = (value: unknown) => Fault | undefined;

function form(expected: string, accepts: (value: unknown) => boolean): Form {
  return (value) => {
    if (accepts(value)) return undefined;
    const said = JSON.stringify(value) ?? String(value);
    return { at: "", message: `is ${said.length > 40 ? `${said.slice(0, 40)}...` : said}, not ${expected}` };
  };
}

const text = form("a text", (value) => typeof value === "string");
const number = form("a number", (value) => typeof value === "number");
/** Whether it is in range is checked with what it counts. */
const integer = form("a whole number", Number.isSafeInteger);
const extent = form("an extent", (value) => Number.isSafeInteger(value) && (value as number) >= 0);
const dtype = form("a dtype that can be stored", (value) => isDtype(String(value)) && value !== "f64");
const oneOf = (what: string, ...choices: readonly unknown[]) => form(what, (value) => choices.includes(value));

const anyObject = form("an object", (value) => typeof value === "object" && value !== null && !Array.isArray(value));
const anyList = form("a list", Array.isArray);

function listOf(item: Form): Form {
  return (value) => {
    const fault = anyList(value);
    if (fault) return fault;
    const list = value as readonly unknown[];
    for (let place = 0; place < list.length; place++) {
      const inside = item(list[place]);
      if (inside) return { ...inside, at: `[${place}]${inside.at}` };
    }
    return undefined;
  };
}

function objectOf<T>(fields: Readonly<Record<keyof T & string, Form>>): Form {
  const all = Object.entries<Form>(fields);
  return (value) => {
    const fault = anyObject(value);
    if (fault) return fault;
    for (const [name, field] of all) {
      const inside = field(Object.hasOwn(value as object, name) ? (value as T)[name as keyof T] : undefined);
      if (inside) return { ...inside, at: `.${name}${inside.at}` };
    }
    return undefined;
  };
}

type Item<List extends keyof Program> = Program[List] extends readonly (infer One)[] ? One : never;

const place = objectOf<Item<"inputs">>({ name: text, dtype, shape: listOf(extent), offset: integer });

const scalarOf = (name: ScalarName, type: Item<"scalars">["dtype"]): Form =>
  objectOf<Item<"scalars">>({ name: oneOf(name, name), dtype: oneOf(type, type), offset: integer });

const scalars: Readonly<Record<ScalarName, Form>> = {
  seed: scalarOf("seed", "u32"),
  step: scalarOf("step", "u32"),
  row_offset: scalarOf("row_offset", "i32"),
  learning_rate: scalarOf("learning_rate", "f32"),
};

const named = objectOf<{ readonly name: ScalarName }>({
  name: oneOf("the name of a scalar", ...Object.keys(scalars)),
});

const scalar: Form = (value) => named(value) ?? scalars[(value as Item<"scalars">).name](value);

const launch = objectOf<Item<"step">>({
  kernel: integer,
  bindings: listOf(
    objectOf<Item<"step">["bindings"][number]>({
      segment: oneOf("the name of a segment", ...segmentNames),
      offset: integer,
      bytes: integer,
      dtype,
      access: oneOf("read, write or update", "read", "write", "update"),
    }),
  ),
  integers: listOf(integer),
  floats: listOf(number),
  units: integer,
  cost: form("a finite cost", (value) => Number.isFinite(value) && (value as number) >= 0),
  label: text,
});

const program = objectOf<Program>({
  formatVersion: number,
  target: text,
  language: oneOf("a language of kernels", "c", "graph", "wgsl", "cuda"),
  key: text,
  batch: integer,
  segments: objectOf<Program["segments"]>({
    parameters: number,
    gradients: number,
    optimizer: number,
    prepared: number,
    constants: number,
    inputs: number,
    outputs: number,
    scalars: number,
    scratch: number,
  }),
  parameters: objectOf<Program["parameters"]>({
    places: listOf(
      objectOf<Program["parameters"]["places"][number]>({ path: text, dtype, shape: listOf(extent), offset: integer }),
    ),
    bytes: extent,
  }),
  inputs: listOf(place),
  outputs: listOf(place),
  scalars: listOf(scalar),
  constants: listOf(objectOf<Item<"constants">>({ dtype, offset: integer, values: listOf(number) })),
  kernels: listOf(objectOf<Item<"kernels">>({ name: text, source: text })),
  prepare: listOf(launch),
  step: listOf(launch),
  graphs: listOf(text),
});

/** Throws an Error that names the first part of a value that no program has there. */
export function requireProgramForm(value: unknown): asserts value is Program {
  const fault = program(value);
  if (fault) throw new Error(`The program${fault.at && `'s ${fault.at.slice(1)}`} ${fault.message}`);
}
