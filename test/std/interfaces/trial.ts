/** A model of one adapted module, and numbers to try it with. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../../dsl/syntax/parser.js";
import type { InterfaceDeclaration } from "../../../dsl/syntax/tree.js";
import { environmentOf } from "../../../runtime/reference/environment.js";
import { evaluate } from "../../../runtime/reference/interpreter.js";
import { initialValue } from "../../../runtime/training/initialize.js";
import type { BuiltModel } from "../../../src/build/build.js";
import { tokenizeGraph } from "../../../src/build/slots.js";
import { elementCount } from "../../../src/graph/shape.js";
import { build } from "../../build/support.js";
import type { InterfaceCase, Numbers } from "./cases.js";

const library = join(import.meta.dirname, "..", "..", "..", "dsl", "std");

const declarationsOf = (file: string) => parse(readFileSync(join(library, file), "utf8"), file).file.declarations;

/** All interfaces of the standard library, as they are declared. */
export const interfaces: readonly InterfaceDeclaration[] = declarationsOf("interfaces.weft").flatMap((declaration) =>
  declaration.kind === "interface" ? [declaration] : [],
);

const modules = declarationsOf("layers.weft").flatMap(({ kind, name }) => (kind === "module" ? [name.text] : []));

export const imports = `import { ${modules.join(", ")} } from "std/layers"
import { ${interfaces.map(({ name }) => name.text).join(", ")} } from "std/interfaces"
import { Flat } from "std/layouts"
`;

/** Without pattern, between -1 and 1. */
export const wave = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin(1 + seed * 2.3 + place * 1.7 + (place % 7) * seed));

/** Numbers that an expression of parameters of an interface and its module comes to, `rank * in_features`. */
export async function numberOf(expression: string, model: BuiltModel): Promise<number> {
  const { applications } = model.context.adaptations[0]!;
  const [application] = applications;
  const { instance } = application!.sites[0]!;
  const known = new Map([...instance.statics, ...instance.fields, ...application!.interface.statics]);
  const parameters = [...known].flatMap(([name, value]) =>
    value.kind === "int" || value.kind === "float" || value.kind === "bool"
      ? [`${name}: ${value.kind} = ${value.kind === "float" ? value.value.toFixed(6) : value.value}`]
      : [],
  );
  const built = await build(`model Value(${parameters.join(", ")}) {
  value = ${expression}
  frozen counted: [value]
}
`);
  return built.parameters[0]!.shape[0]!;
}

export const buildTrial = (module: string, applied: string, shape: readonly number[]): Promise<BuiltModel> =>
  build(`${imports}
model M() {
  net = ${module}
  memory = adapt net with ${applied} as Flat(1, 5)
  param single: memory.tokens = memory.initial()
  fn stored(x: [${shape.join(", ")}]) { (net with memory(single))(x) }
  fn base(x: [${shape.join(", ")}]) { net(x) }
  fn adapted(x: [${shape.join(", ")}], t: memory.tokens) { (net with memory(t))(x) }
}
`);

export const trialOf = ({ name, settings, module, shape }: InterfaceCase): Promise<BuiltModel> =>
  buildTrial(module, `${name}(${settings})`, shape);

/** Numbers for a model: stored tensors as they start or without pattern, and slots some way off their start, also as tokens. */
export interface Trial {
  readonly numbers: Numbers;
  readonly stored: ReadonlyMap<string, Float64Array>;
  readonly tokens: Float64Array;
}

export function numbersFor(model: BuiltModel, shape: readonly number[], seed = 0): Trial {
  const stored = new Map(
    model.parameters.map((spec, place) => [
      spec.path,
      Float64Array.from(spec.dtype === "f32" ? wave(elementCount(spec.shape), place) : initialValue(spec, 3).data),
    ]),
  );
  const slots = new Map(
    model.adaptations[0]!.grid.places.map(({ site, slot, shape: size, interface: owner }, place) => {
      const { initializer } = model.adaptations[0]!.grid.kinds.find(
        (kind) => kind.slot === slot && kind.interface === owner,
      )!;
      const start = initializer.kind === "constant" ? initializer.value : 0;
      const values = wave(elementCount(size), 11 + place + seed).map((number) => start + 0.4 * number);
      return [`${site}.${slot}`, Float64Array.from(values)] as const;
    }),
  );
  const tokens = evaluate(tokenizeGraph(model, "memory"), environmentOf({ inputs: slots })).get("tokens")!.data;
  const x = wave(elementCount(shape), 5 + seed);
  return {
    stored,
    tokens,
    numbers: {
      x,
      slot: (name) => [...slots.get(`net.${name}`)!],
      stored: (path) => [...stored.get(path)!],
    },
  };
}
