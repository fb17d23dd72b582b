/** Operator interfaces, layouts and the token grid. */
import { defineMessage } from "../../registry.js";
import { listed } from "./listed.js";

const unit =
  "module Unit(dim: int) {\n  param weight: [dim, dim] = kaiming()\n  forward(x: [..., dim]) -> [..., dim] { x @ weight.T }\n}\n";
const add =
  "interface Add(rank: int) on Unit {\n  slot A: [rank, base.dim] = zeros()\n  forward(x) { base(x) + sum(x @ A.T, axis: -1, keep: true) }\n}\n";
const row =
  "layout Rows(columns: int) {\n  rows = 1\n  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot, [-1, rows, columns]) }\n}\n";

/** A model that adapts a list of two modules. */
const adapted = (parts: {
  readonly modules?: string;
  readonly interface?: string;
  readonly layout?: string;
  readonly fields?: string;
  readonly adapt?: string;
  readonly body?: string;
}): string =>
  `${parts.modules ?? unit}${parts.interface ?? add}${parts.layout ?? row}model M() {\n  ${parts.fields ?? "layers = [Unit(4)] * 2"}\n  memory = ${
    parts.adapt ?? "adapt layers[*] with Add(1) as Rows(4)"
  }\n  fn f(x: [4], t: memory.tokens) -> [4] { ${parts.body ?? "(layers[1] with memory(t))((layers[0] with memory(t))(x))"} }\n}\n`;

export const adaptMessages = {
  siteBreaks: defineMessage<{ path: string; name: string; found: string; known: readonly string[] }>({
    code: "W350",
    text: ({ path, name, found }) => `the path breaks off after \`${path}\`: ${found} has no \`${name}\``,
    help: ({ known }) => (known.length === 0 ? undefined : `It has ${listed(known)}.`),
    example: adapted({ adapt: "adapt layers[*].attn with Add(1) as Rows(4)" }),
  }),
  siteNotAModule: defineMessage<{ path: string; found: string; list: boolean }>({
    code: "W351",
    text: ({ path, found }) => `\`${path}\` is ${found}, not a module that can be adapted`,
    help: ({ list }) => (list ? "Write `[*]` after it for every item." : undefined),
    example: adapted({ adapt: "adapt layers with Add(1) as Rows(4)" }),
  }),
  eachNeedsList: defineMessage<{ path: string; found: string }>({
    code: "W352",
    text: ({ path, found }) => `\`${path}\` is ${found}, so it has no items`,
    help: () => "`[*]` and `[i]` stand after lists of modules.",
    example: adapted({ adapt: "adapt layers[*][*] with Add(1) as Rows(4)" }),
  }),
  groupSize: defineMessage<{ path: string; count: number; by: number }>({
    code: "W353",
    text: ({ path, count, by }) => `the ${count} items of \`${path}\` do not group by ${by}`,
    example: adapted({ adapt: "adapt layers[* by 3] with Add(1) as Rows(4)" }),
  }),
  groupsDisagree: defineMessage<{ list: string; first: number; second: number }>({
    code: "W379",
    text: ({ list, first, second }) =>
      `\`${list}\` makes ${first} groups in one place and ${second} in another, which do not lie inside those`,
    help: () =>
      "A layer of the token grid is one of the coarsest groups, and holds the tokens of all finer ones inside it.",
    example: adapted({
      fields: "layers = [Unit(4)] * 6",
      adapt: "adapt { layers[* by 2] with Add(1), layers[* by 3] with Add(1) } as Rows(4)",
      body: "x",
    }),
  }),
  noSites: defineMessage({
    code: "W354",
    text: () => "this pattern names no module",
    help: () => "The lists it runs over are empty.",
    example: adapted({ fields: "layers = [Unit(4)] * 0", body: "x" }),
  }),
  adaptedTwice: defineMessage<{ path: string }>({
    code: "W355",
    text: ({ path }) => `\`${path}\` is adapted twice by one interface`,
    help: () => "Name each module once; different interfaces may share a module.",
    example: adapted({
      modules: `${unit}module Pair() {\n  a = Unit(4)\n}\n`,
      fields: "layers = [Pair()] * 2",
      adapt: "adapt layers[*].{a, a} with Add(1) as Rows(4)",
      body: "x",
    }),
  }),
  interfaceNotOn: defineMessage<{ interface: string; on: readonly string[]; path: string; module: string }>({
    code: "W356",
    text: ({ interface: name, path, module }) => `${name} does not apply to \`${path}\`, which is the module ${module}`,
    help: ({ interface: name, on }) => `${name} is declared on ${listed(on)}.`,
    example: adapted({
      modules: `${unit}module Other(dim: int) { forward(x: [n]) -> [n] { x } }\n`,
      fields: "layers = [Other(4)] * 2",
    }),
  }),
  noSlots: defineMessage({
    code: "W357",
    text: () => "none of these interfaces has a slot here, so there is nothing to generate",
    example: adapted({
      interface:
        "interface Add(rank: int) on Unit {\n  param A: [base.dim] = zeros()\n  forward(x) { base(x) + A }\n}\n",
      body: "x",
    }),
  }),
  slotStart: defineMessage<{ name: string }>({
    code: "W358",
    text: ({ name }) => `slot ${name} must start as zeros(), constant(c) or normal(std)`,
    help: () =>
      "A generator's last layer starts so that the slot starts as declared; other starts cannot be made this way.",
    example: adapted({
      interface: add.replace("rank: int", "rank: int, start: initializer = orthogonal()").replace("zeros()", "start"),
    }),
  }),
  sharedDisagrees: defineMessage<{ name: string; first: string; second: string }>({
    code: "W359",
    text: ({ name, first, second }) =>
      `${name} is shared by all sites, but it is ${first} at one and ${second} at another`,
    help: () => "Apply the interface several times, each to sites of one size.",
    example: adapted({
      interface:
        "interface Add(rank: int) on Unit {\n  slot A: [rank, 4] = zeros()\n  shared frozen P: [base.dim] = zeros()\n  forward(x) { base(x) + sum(A) * P }\n}\n",
      fields: "layers = [Unit(4), Unit(8)]",
      body: "x",
    }),
  }),
  sharedStartsDisagree: defineMessage<{ name: string }>({
    code: "W373",
    text: ({ name }) => `${name} is shared by all sites, but it starts differently at some of them`,
    help: () => "Apply the interface several times, each to sites of one size.",
    example: adapted({
      interface:
        "interface Add(rank: int) on Unit {\n  slot A: [rank, 4] = zeros()\n  shared frozen P: [2] = normal(1.0 / base.dim)\n  forward(x) { base(x) + sum(A) * sum(P) }\n}\n",
      fields: "layers = [Unit(4), Unit(8)]",
      body: "x",
    }),
  }),
  slotsDisagree: defineMessage<{ slot: string; first: string; second: string }>({
    code: "W360",
    text: ({ slot, first, second }) => `the copies of ${slot} differ: ${first}, ${second}`,
    help: () => "What a later `[*]` runs over shares one run of tokens; list modules of different sizes one by one.",
    example: adapted({
      modules: `${unit}module Pair() {\n  parts = [Unit(4), Unit(8)]\n}\n`,
      fields: "layers = [Pair()] * 2",
      adapt: "adapt layers[*].parts[*] with Add(1) as Rows(4)",
      body: "x",
    }),
  }),
  layersDisagree: defineMessage<{ slot: string; first: string; second: string }>({
    code: "W361",
    text: ({ slot, first, second }) => `the layers need different numbers of tokens for ${slot}: ${first}, ${second}`,
    help: () => "Write `ragged` after the layout to pad the shorter layers.",
    example: adapted({ fields: "layers = [Unit(4), Unit(8)]", body: "x" }),
  }),
  startsDisagree: defineMessage<{ slot: string; site: string }>({
    code: "W362",
    text: ({ slot, site }) => `${slot} starts differently at \`${site}\` than at the first site`,
    help: () => "One head of the generator writes all of them, so they start alike.",
    example: adapted({
      modules: unit.replace("dim: int", "dim: int, start: float"),
      interface: add.replace("zeros()", "constant(base.start)"),
      fields: "layers = [Unit(4, 0.5), Unit(4, 1.5)]",
      body: "x",
    }),
  }),
  unknownAnchor: defineMessage<{ layout: string; name: string; known: readonly string[] }>({
    code: "W363",
    text: ({ layout, name }) =>
      `${layout} keeps the axis \`${name}\` whole, but no interface has a parameter of that name`,
    help: ({ known }) => (known.length === 0 ? undefined : `Those here have ${listed(known)}.`),
    example: adapted({
      layout:
        "layout Rows(columns: int, anchor: axis) {\n  rows = anchor\n  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot, [-1, rows, columns]) }\n}\n",
      adapt: "adapt layers[*] with Add(1) as Rows(4, anchor: width)",
    }),
  }),
  anchorsDisagree: defineMessage<{ name: string; first: string; second: string }>({
    code: "W364",
    text: ({ name, first, second }) => `the interfaces have different values of \`${name}\`: ${first} and ${second}`,
    help: () =>
      "All tokens of one memory have the same number of rows. A layout without such an axis takes any slots: Flat does.",
    example: adapted({
      layout:
        "layout Rows(columns: int, anchor: axis = rank) {\n  rows = anchor\n  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot, [-1, rows, columns]) }\n}\n",
      adapt: "adapt { layers[*] with Add(1), layers[*] with Add(2) } as Rows(4)",
    }),
  }),
  layoutField: defineMessage<{ name: string; expected: string; found: string }>({
    code: "W365",
    text: ({ name, expected, found }) => `\`${name}\` of a layout must be ${expected}, but it is ${found}`,
    example: adapted({ layout: row.replace("rows = 1", "rows = 0") }),
  }),
  layoutFails: defineMessage<{ layout: string; slot: string; shape: string; reason: string }>({
    code: "W366",
    text: ({ layout, slot, shape, reason }) => `${layout} cannot cut slot ${slot} of ${shape}: ${reason}`,
    help: () => "A layout keeps every number of a slot exactly once; it may pad with zeros.",
    example: adapted({
      layout: row.replace("reshape(slot, [-1, rows, columns])", "reshape(slot[..., :4], [-1, rows, columns])"),
      fields: "layers = [Unit(8)] * 2",
    }),
  }),
  operatorMissesModule: defineMessage<{ module: string; operator: string; site: string }>({
    code: "W367",
    text: ({ module, operator, site }) => `no site of \`${operator}\` lies in \`${module}\`; the first is \`${site}\``,
    example: adapted({ fields: "layers = [Unit(4)] * 2\n  other = Unit(4)", body: "(other with memory(t))(x)" }),
  }),
  operatorUnused: defineMessage<{ memory: string }>({
    code: "W368",
    text: ({ memory }) => `\`${memory}\` is applied here, but the adapted module is never called`,
    example: adapted({ body: "{let a = layers[0] with memory(t)}\n    x" }).replace(
      "{let a = layers[0] with memory(t)}\n    x",
      "\n    let a = layers[0] with memory(t)\n    x\n  ",
    ),
  }),
  siteNotReached: defineMessage<{ memory: string; sites: readonly string[]; all: number }>({
    code: "W369",
    text: ({ memory, sites, all }) =>
      `${sites.length} of the ${all} sites of \`${memory}\` never run, so their tokens do nothing: ${listed(sites)}`,
    help: () => "Adapt only what this entry point runs.",
    example: adapted({ body: "(layers[0] with memory(t))(x)" }),
  }),
  slotUnused: defineMessage<{ slot: string; site: string }>({
    code: "W370",
    text: ({ slot, site }) => `slot ${slot} is not used at \`${site}\``,
    help: () => "Its tokens would be generated in vain: use it or remove it.",
    example: adapted({
      interface: add
        .replace("  forward", "  slot B: [rank, base.dim] = zeros()\n  forward")
        .replace("A.T", "(if rank > 1 { A + B } else { A }).T"),
    }),
  }),
  notAWeight: defineMessage<{ name: string; module: string; known: readonly string[] }>({
    code: "W371",
    text: ({ name, module }) => `${module} stores no \`${name}\` here, so it cannot be replaced`,
    help: ({ known }) => (known.length === 0 ? undefined : `It stores ${listed(known)}.`),
    example: adapted({
      modules: unit.replace("  forward", "  if dim > 9 { param bias: [dim] = zeros() }\n  forward"),
      interface: add.replace("base(x)", "(base with { bias: x })(x)"),
    }),
  }),
  notMergeable: defineMessage<{ interface: string; site: string; reason: string }>({
    code: "W378",
    text: ({ interface: name, site, reason }) => `${name} does not fold into a weight at \`${site}\`: ${reason}`,
    help: () =>
      "What folds is linear in x and does the same to every row, by slots and stored tensors alone. Other operators run beside the weights.",
    example: adapted({
      interface: add.replace("x @ A.T", "exp(x @ A.T) - 1"),
      body: "(layers[1] with merge(memory(t)))((layers[0] with memory(t))(x))",
    }),
  }),
  startsChanged: defineMessage<{ interface: string; method: string; site: string }>({
    code: "W372",
    text: ({ interface: name, method, site }) =>
      `${name} changes \`${method}\` of \`${site}\` from the start, when its slots are as declared`,
    help: () =>
      'Let it equal its base at the start, for instance by a slot of zeros(), or write `starts = "changed"` in it.',
    example: adapted({ interface: add.replace("zeros()", "constant(1)") }),
  }),
};
