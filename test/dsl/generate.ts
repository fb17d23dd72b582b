/** A small seeded generator of Weft texts, for tests that look at many. */
export type Random = (below: number) => number;

/** Integers from 0 up to (not including) `below`; the same for the same seed. */
export function seeded(seed: number): Random {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)]!;
}

const names = [
  "x",
  "y",
  "dim",
  "with_",
  "param",
  "slot",
  "at",
  "weight",
  "a_rather_long_name_of_something",
  "on",
  "shared",
];
const binary = ["+", "-", "*", "/", "//", "%", "@", "**", "and", "or", "==", "<="];

/** A valid text: tokens are right, sizes and names need not be. Comments and newlines stand wherever they may. */
export function generateFile(random: Random): string {
  const declarations = Array.from({ length: 1 + random(3) }, () => declaration(random));
  return [
    ...(random(2) ? [`import {${gap(random)}A,${gap(random)}B as C${gap(random)}} from "std/layers"`] : []),
    ...declarations,
  ]
    .map((text) => `${text}${lineEnd(random)}`)
    .join("");
}

/** Space where a newline means nothing. */
function gap(random: Random): string {
  return pick(random, ["", " ", "  ", " ", "", "\n", " # why\n", "\n\n\n  # own\n", "\n"]);
}

/** The end of a line, with whatever may stand before the next. */
function lineEnd(random: Random): string {
  return pick(random, ["\n", "\n", "\n\n", "\n\n\n", " # behind\n", "\n# own\n", "\n\n# far\n\n", "  \r\n"]);
}

function list(random: Random, item: () => string, most: number): string {
  const items = Array.from({ length: random(most + 1) }, item);
  const last = items.length > 0 && random(4) === 0 ? `,${gap(random)}` : "";
  return gap(random) + items.join(`${gap(random)},${gap(random)}`) + gap(random) + last;
}

function expression(random: Random, depth: number): string {
  const inside = (): string => expression(random, depth - 1);
  if (depth <= 0) return pick(random, [...names, "1", "2.5e-3", '"text"', "true", "x.T", "none"]);
  switch (random(12)) {
    case 0:
      return `(${gap(random)}${inside()}${gap(random)})`;
    case 1:
      return `f(${list(random, () => (random(2) ? inside() : `axis: ${inside()}`), 4)})`;
    case 2:
      return `x[${gap(random)}${pick(random, ["...", "1:", ":", "::2", "none", inside(), `${inside()}, -1`])}${gap(random)}]`;
    case 3:
      return `[${list(random, inside, 4)}]`;
    case 4:
      return `[${gap(random)}${inside()} for (a, b) in ${inside()}${random(2) ? ` if ${inside()}` : ""}${gap(random)}]`;
    case 5:
      return random(2) ? `-(${inside()}).T` : `f(${inside()}, ...rest)`;
    case 6:
      return `not (${inside()})`;
    case 7:
      return `(net with ${random(2) ? "op" : `{ weight: ${inside()}, bias: y }`})(${inside()})`;
    case 8:
      return `(if ${inside()} { ${inside()} } else { ${inside()} })`;
    default: {
      const parts = [`(${inside()})`];
      for (let count = 1 + random(3); count > 0; count -= 1) {
        parts.push(pick(random, ["==", "<="].includes(parts[1] ?? "") ? ["+", "and"] : binary), `f(${inside()})`);
      }
      return parts
        .filter((part, index) => !(["==", "<="].includes(part) && parts.indexOf(part) < index))
        .join(" ")
        .replace(/\) f/g, ") + f");
    }
  }
}

function block(random: Random, depth: number): string {
  const statements = Array.from({ length: random(4) }, () => statement(random, depth));
  const body = statements.map((text) => text + lineEnd(random)).join("");
  const first = random(3) === 0 ? " # open\n" : gap(random).replace(/^$/, " ");
  return statements.length === 0 && random(2)
    ? `{ ${expression(random, depth)} }`
    : `{${first}${body}${expression(random, depth)}${lineEnd(random)}}`;
}

function statement(random: Random, depth: number): string {
  const value = expression(random, depth);
  switch (random(6)) {
    case 0:
      return `let (a, b) =${gap(random)} ${value}`;
    case 1:
      return depth > 0 ? `for item in ${value} ${block(random, depth - 1)}` : `x = ${value}`;
    case 2:
      return depth > 0 ? `if ${value} ${block(random, depth - 1)} else ${block(random, depth - 1)}` : `x = ${value}`;
    case 3:
      return `assert ${value}, "why not"`;
    case 4:
      return `let x = ${value}\n  + 2 # two\n  * 3`;
    default:
      return `let x${random(4) ? "" : "  "} = ${value}`;
  }
}

function parameters(random: Random): string {
  const types = [
    "[n, dim]",
    "int[..24]",
    "bool[..., n]",
    "module",
    "memory.tokens",
    "([n], [m])",
    "[4, ...grid.shape]",
  ];
  if (random(6) === 0) return "x: [n], ...rest";
  return list(
    random,
    () => `${random(3) ? "" : "shared "}${pick(random, names)}: ${pick(random, types)}${random(3) ? "" : " = 0"}`,
    5,
  );
}

function method(random: Random): string {
  return `${random(2) ? "fn " : ""}forward(${parameters(random)})${random(2) ? "" : " -> [n, dim]"} ${block(random, 2)}`;
}

function member(random: Random, holder: string): string {
  switch (random(7)) {
    case 0:
      return `param weight: [r: dim, 2 * dim] = kaiming()`;
    case 1:
      return `/// Documentation.\nname${random(3) ? "" : "   "} = ${expression(random, 2)}\nanother_name = 2`;
    case 2:
      return `if ${expression(random, 1)} {${lineEnd(random)}  inner = 3${lineEnd(random)}} else { other = 4 }`;
    case 3:
      return holder !== "model"
        ? "shared frozen table: int[4]"
        : `train stage on loss {${gap(random)}update: [a.b],${gap(random)}steps: ${expression(random, 1)}${lineEnd(random)}clip: 1, batch: 2${pick(random, [",", "\n"])} ema: 3 }`;
    case 4:
      return holder !== "model"
        ? "given t: []"
        : `memory = adapt blocks[*].{${list(random, () => pick(random, ["a.b", "c", "d[0].{e, f}"]), 3).replace(/^[^a-z]*$/, "a")}} with Low(rank: 4)${pick(random, [" ", "\n"])}as Flat(rows: 4)`;
    default:
      return method(random);
  }
}

function declaration(random: Random): string {
  const doc = random(3) ? "" : "/// What it is.\n";
  const holder = pick(random, ["module", "model", "interface", "layout", "fn"]);
  if (holder === "fn") return `${doc}fn helper(${parameters(random)}) -> [] ${block(random, 3)}`;
  const on = holder === "interface" ? ` on Linear,${pick(random, [" ", "\n  "])}Conv` : "";
  const body = Array.from({ length: random(5) }, () => member(random, holder) + lineEnd(random)).join("");
  return `${doc}${holder} Name(${list(random, () => `${pick(random, names)}: int = ${expression(random, 1)}`, 4)})${on} {${lineEnd(random)}${body}}`;
}
