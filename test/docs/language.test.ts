import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BuiltinForm, type BuiltinUse, builtinConstants, builtins } from "../../dsl/check/builtins.js";
import { check } from "../../dsl/check/check.js";
import { kindWords } from "../../dsl/check/members.js";
import type { Diagnostic, Span } from "../../dsl/diagnostics/diagnostic.js";
import { parse } from "../../dsl/syntax/parser.js";
import type { Name, Type } from "../../dsl/syntax/tree.js";
import { build, diagnosticsOf, textHost } from "../build/support.js";
import { type CodeBlock, codeBlocks, codeIn, pageText, section, tableRows } from "./blocks.js";

const page = "docs/language.md";

const told = (diagnostics: readonly Diagnostic[]): string =>
  diagnostics.map(({ code, message, help = "" }) => `${code} ${message} ${help}`).join("\n");

/** A file with a model is built and traced; any other is checked. */
async function problems(text: string): Promise<readonly Diagnostic[]> {
  if (/^model /m.test(text)) return diagnosticsOf(text);
  return (await check("model.weft", textHost({ "model.weft": text }))).diagnostics;
}

/** The body of a function of a few tensors. */
const body = (text: string): string => `model M() {
  fn f(x: [2, 3], y: [3], i: int[2], m: bool[2]) {
${text}
  }
}
`;

async function verify({ marks, text }: CodeBlock): Promise<void> {
  const [, kind, detail] = marks;
  switch (kind) {
    case undefined: {
      const found = await problems(text);
      assert.equal(found.length, 0, told(found));
      return;
    }
    case "error": {
      const found = await problems(text);
      assert.deepEqual([...new Set(found.map(({ code }) => code))], [detail], told(found));
      return;
    }
    case "fragment": {
      const found = detail === "body" ? await problems(body(text)) : parse(text, "fragment.weft").diagnostics;
      assert.equal(found.length, 0, told(found));
      return;
    }
    default:
      assert.fail(`weft blocks are whole files, \`fragment\`, \`fragment body\` or \`error CODE\`, not ${kind}`);
  }
}

describe("documentation", () => {
  for (const name of [page, "docs/interfaces.md", "README.md", "docs/architecture.md", "docs/operators.md"]) {
    const blocks = codeBlocks(name).filter(({ marks }) => marks[0] === "weft");
    for (const block of blocks) {
      it(`${name}:${block.line} holds true`, () => verify(block));
    }
  }

  it("links only to headings that exist", () => {
    const anchor = (heading: string): string =>
      heading
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-");
    const anchors = new Set([...pageText(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading!)));
    for (const [, target] of pageText(page).matchAll(/\]\(#([^)]+)\)/g)) {
      assert.ok(anchors.has(target!), `there is no heading for #${target}`);
    }
  });
});

/** As written in the page: `mean(x, axis?, keep = false)`. */
function signatureOf(name: string, { parameters, variadic, open }: BuiltinForm): string {
  const shown = parameters.map((parameter, place) => {
    const value = parameter.default === null ? "none" : parameter.default;
    if (value !== undefined) return `${parameter.name} = ${value}`;
    if (variadic && place === 0) return `...${parameter.name}`;
    return parameter.required ? parameter.name : `${parameter.name}?`;
  });
  return `${name}(${[...shown, ...(open ? [".."] : [])].join(", ")})`;
}

/** What has a name and parameters: functions and methods, and what is made with compile-time values. */
interface Declared {
  readonly name: Name;
  readonly parameters: readonly { readonly span: Span }[];
  readonly result?: Type;
}

describe("the language reference", () => {
  const sections: readonly (readonly [string, readonly BuiltinUse[]])[] = [
    ["Of operators", ["operator"]],
    ["At compile time", ["static"]],
    ["Initializers", ["initializer"]],
    ["Optimisers", ["optimizer"]],
    ["Schedules", ["schedule"]],
    ["Data and solvers", ["data", "solver"]],
  ];
  const tensors = ["Element by element", "Over axes", "Moving numbers", "Products", "Making tensors"];
  const documented = (heading: string): string[] =>
    tableRows(section(page, heading)).flatMap(([cell]) => codeIn(cell!));
  const known = (uses: readonly BuiltinUse[]): string[] =>
    [...builtins].flatMap(([name, { forms }]) =>
      forms.filter(({ use }) => uses.includes(use)).map((form) => signatureOf(name, form)),
    );

  it("lists every built-in function of tensors, with its arguments", () => {
    const found = [...tensors, "Derivatives and the batch"].flatMap(documented);
    assert.deepEqual(found.sort(), known(["tensor"]).sort());
  });

  for (const [heading, uses] of sections) {
    it(`lists every built-in under "${heading}", with its arguments`, () => {
      assert.deepEqual(documented(heading).sort(), known(uses).sort());
    });
  }

  it("names the constants and the kinds of parameters", () => {
    const words = codeIn(section(page, "Words"));
    for (const name of builtinConstants) assert.ok(words.includes(name), name);
    const kinds = tableRows(section(page, "Modules")).flatMap(([cell]) => codeIn(cell!));
    assert.deepEqual(kinds.sort(), [...kindWords].sort());
  });

  const plan = (keys: string) => `model M() {
  param w: [4] = ones()
  fn loss(x: [4]) -> [] { sum(w * x) }
  train first on loss { update: w, optimizer: sgd(0.1) }
  ${keys}
}
`;

  const blocks = (): string[] => [
    ...section(page, "Training").split(/^`(?:evaluate NAME on|collect NAME into) /m),
    section(page, "Sampling"),
  ];

  for (const [name, text, place] of [
    ["train", "train second on loss { zzzzzz: 1, update: w, optimizer: sgd(0.1) }", 0],
    ["evaluate", "evaluate held_out on loss { zzzzzz: 1 }", 1],
    ["collect", "collect average into w { zzzzzz: 1, mean: loss }", 2],
    ["sample", "sample points { zzzzzz: 1, step: loss, solver: euler(steps: 4) }", 3],
  ] as const) {
    it(`lists every key of \`${name}\``, async () => {
      const [found] = await problems(plan(text));
      const [, listed] = /^Its keys are: (.*)\.$/.exec(found!.help!)!;
      const keys = tableRows(blocks()[place]!).map(([cell]) => codeIn(cell!)[0]!);
      assert.deepEqual(keys.sort(), codeIn(listed!).sort());
    });
  }

  it("gives the defaults of stages and evaluations as they are", async () => {
    const { stages, evaluations, collections } = await build(
      plan("evaluate held_out on loss {}\ncollect average into w { mean: loss }"),
    );
    const [training, evaluation, collection] = blocks();
    const defaults = (text: string) =>
      new Map(tableRows(text).map(([key, , value]) => [codeIn(key!)[0]!, codeIn(value!)[0]]));
    const train = defaults(training!);
    for (const key of ["batch", "accumulate", "steps", "recompute"] as const)
      assert.equal(train.get(key), `${stages[0]![key]}`, key);
    assert.equal(train.get("learning_rate"), `${stages[0]!.schedule.kind}()`);
    const evaluate = defaults(evaluation!);
    for (const key of ["batch", "every"] as const) assert.equal(evaluate.get(key), `${evaluations[0]![key]}`, key);
    assert.equal(defaults(collection!).get("batch"), `${collections[0]!.batch}`);
  });

  const library = join(import.meta.dirname, "..", "..", "dsl", "std");
  for (const name of readdirSync(library).filter((file) => file.endsWith(".weft"))) {
    const heading = `std/${name.replace(".weft", "")}`;
    const text = readFileSync(join(library, name), "utf8");
    const { declarations } = parse(text, name).file;
    const source = ({ start, end }: { start: number; end: number }): string =>
      text.slice(start, end).replace(/\s+/g, " ");
    const header = (declared: Declared): string =>
      `${declared.name.text}(${declared.parameters.map(({ span }) => source(span)).join(", ")})${
        declared.result === undefined ? "" : ` -> ${source(declared.result.span)}`
      }`;

    it(`lists all that ${heading} declares, with its parameters`, () => {
      assert.deepEqual(documented(heading).sort(), declarations.map(header).sort());
    });

    it(`gives the methods of ${heading} as they are declared`, () => {
      const shown = codeIn(section(page, heading));
      for (const declaration of declarations) {
        if (declaration.kind === "function") continue;
        for (const member of declaration.members) {
          if (member.kind === "function") assert.ok(shown.includes(header(member)), header(member));
        }
      }
    });
  }

  for (const [cell] of tableRows(section(page, "What is not in the language"))) {
    const [text] = codeIn(cell!);
    it(`says truly that \`${text}\` is refused for now`, async () => {
      const isMember = /^(sample|collect|evaluate|fn) /.test(text!);
      const found = await diagnosticsOf(`import { Linear } from "std/layers"
model M() {
  net = Linear(4, 4)
  experts = [Linear(4, 4)] * 2
  param w: [4] = ones()
  fn run(x: [4], k: int[]) { ${isMember ? "net(x)" : text} }
  fn loss(x: [4]) -> [] { sum(net(x)) }
  train first on loss { update: net, optimizer: sgd(0.1) }
  ${isMember ? text : ""}
}
`);
      assert.deepEqual(
        found.map(({ code }) => code),
        ["W327"],
        told(found),
      );
    });
  }
});
