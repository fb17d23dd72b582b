/**
 * The textual form of graphs: one line per node, exact in both directions.
 *
 *     %7: f32[2, 3] = contraction(%3, %5) {lhs: [0, 1], rhs: [1, 2], out: [0, 2]} @ backbone.blocks.0 model.weft:12-34
 *     output "loss" = %9
 *     update "backbone.weight" = %8
 */
import type { AttributesOf, PrimitiveName } from "../primitives/names.js";
import { primitives } from "../primitives/registry.js";
import { type Dtype, isDtype } from "./dtype.js";
import type { Graph, NamedValue } from "./graph.js";
import type { Node, NodeOf, Origin, ValueId } from "./node.js";
import { formatShape, type TensorType } from "./shape.js";

// ---- printing

type AttributeValue = number | boolean | string | readonly number[];

function printNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (Object.is(value, -0)) return "-0";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return String(value);
}

function printAttribute(value: AttributeValue): string {
  if (typeof value === "number") return printNumber(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  return `[${value.map(printNumber).join(", ")}]`;
}

/** Names stand bare where no character of theirs means anything here. */
const printName = (name: string): string => (/^[\w./[\]-]+$/.test(name) ? name : JSON.stringify(name));

function printOrigin({ path, span }: Origin): string {
  const place = span ? ` ${printName(span.file)}:${span.start}-${span.end}` : "";
  return ` @ ${printName(path)}${place}`;
}

const printType = ({ dtype, shape }: TensorType): string => `${dtype}${formatShape(shape)}`;

/** One node as a line, without the line break; also what errors and profiles show. */
export function printNode(node: Node, types: readonly TensorType[]): string {
  const outputs = node.outputs.map((output) => `%${output}: ${types[output] ? printType(types[output]) : "?"}`);
  const inputs = node.inputs.map((input) => `%${input}`);
  const attributes = Object.entries(node.attributes).map(
    ([key, value]) => `${key}: ${printAttribute(value as AttributeValue)}`,
  );
  const suffix = attributes.length > 0 ? ` {${attributes.join(", ")}}` : "";
  const origin = node.origin ? printOrigin(node.origin) : "";
  return `${outputs.join(", ")} = ${node.primitive}(${inputs.join(", ")})${suffix}${origin}`;
}

export function printGraph(graph: Graph): string {
  const named = (word: string) => (entry: NamedValue) => `${word} ${JSON.stringify(entry.name)} = %${entry.value}`;
  const lines = [
    ...graph.nodes.map((node) => printNode(node, graph.types)),
    ...graph.outputs.map(named("output")),
    ...graph.updates.map(named("update")),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

// ---- parsing

/** A text that is no graph; the message begins with the line's number. */
export class GraphTextError extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(`line ${line}: ${message}`);
    this.name = "GraphTextError";
  }
}

/** Reads the pieces of one line from left to right. */
class LineReader {
  #at = 0;
  constructor(
    readonly text: string,
    readonly line: number,
  ) {}

  fail(expected: string): never {
    const rest = this.text.slice(this.#at, this.#at + 20);
    throw new GraphTextError(this.line, `expected ${expected} at ${rest === "" ? "the end" : JSON.stringify(rest)}`);
  }

  get ended(): boolean {
    this.#skipBlanks();
    return this.#at === this.text.length;
  }

  #skipBlanks(): void {
    while (this.text[this.#at] === " ") this.#at++;
  }

  accept(token: string): boolean {
    this.#skipBlanks();
    if (!this.text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.accept(token)) this.fail(JSON.stringify(token));
  }

  /** Matches a sticky pattern here, or fails saying what was expected. */
  match(pattern: RegExp, expected: string): string {
    this.#skipBlanks();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text);
    if (!found) this.fail(expected);
    this.#at += found[0].length;
    return found[0];
  }

  /** Items up to the closing token, separated by commas. */
  list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(","));
    this.expect(close);
    return items;
  }

  get startsString(): boolean {
    this.#skipBlanks();
    return this.text[this.#at] === '"';
  }

  string(): string {
    const literal = this.match(/"(?:[^"\\]|\\.)*"/y, "a string");
    try {
      return JSON.parse(literal) as string;
    } catch {
      return this.fail("a string without unknown escapes");
    }
  }

  name(): string {
    return this.startsString ? this.string() : this.match(/[\w./[\]-]+/y, "a name");
  }

  number(): number {
    const literal = this.match(/-?(?:inf|nan|\d+(?:\.\d+)?(?:e[+-]?\d+)?)/y, "a number");
    if (literal === "nan") return Number.NaN;
    return literal.endsWith("inf") ? Number(literal.replace("inf", "Infinity")) : Number(literal);
  }

  count(): number {
    return Number(this.match(/\d+/y, "a number"));
  }

  value(): ValueId {
    this.expect("%");
    return this.count();
  }

  type(): TensorType {
    const dtype = this.match(/\w+/y, "a dtype");
    if (!isDtype(dtype)) this.fail(`a dtype, not ${dtype}`);
    this.expect("[");
    return { dtype: dtype as Dtype, shape: this.list("]", () => this.count()) };
  }

  attribute(): AttributeValue {
    if (this.accept("[")) return this.list("]", () => this.number());
    if (this.startsString) return this.string();
    if (this.accept("true")) return true;
    if (this.accept("false")) return false;
    return this.number();
  }

  origin(): Origin | undefined {
    if (!this.accept("@")) return undefined;
    const path = this.name();
    if (this.ended) return { path };
    const file = this.name();
    this.expect(":");
    const start = this.count();
    this.expect("-");
    return { path, span: { file, start, end: this.count() } };
  }
}

function parseNode(reader: LineReader, types: TensorType[]): Node {
  const outputs: ValueId[] = [];
  do {
    const output = reader.value();
    if (types[output] !== undefined) throw new GraphTextError(reader.line, `%${output} is there already`);
    reader.expect(":");
    types[output] = reader.type();
    outputs.push(output);
  } while (reader.accept(","));
  reader.expect("=");
  const primitive = reader.match(/\w+/y, "a primitive");
  if (!Object.hasOwn(primitives, primitive)) {
    throw new GraphTextError(reader.line, `there is no primitive ${primitive}`);
  }
  reader.expect("(");
  const inputs = reader.list(")", () => reader.value());
  const attributes: Record<string, AttributeValue> = {};
  if (reader.accept("{")) {
    for (const [key, value] of reader.list("}", () => {
      const name = reader.match(/\w+/y, "an attribute");
      reader.expect(":");
      return [name, reader.attribute()] as const;
    })) {
      attributes[key] = value;
    }
  }
  const origin = reader.origin();
  if (!reader.ended) reader.fail("the end of the line");
  const node = { primitive, inputs, outputs, attributes: attributes as unknown as AttributesOf[PrimitiveName], origin };
  return node as NodeOf<PrimitiveName> as Node;
}

/** Reads what `printGraph` wrote. Throws GraphTextError with the line. Whether the graph makes sense is for `verify` to say. */
export function parseGraph(text: string): Graph {
  const nodes: Node[] = [];
  const types: TensorType[] = [];
  const outputs: NamedValue[] = [];
  const updates: NamedValue[] = [];
  text.split("\n").forEach((content, index) => {
    const line = content.endsWith("\r") ? content.slice(0, -1) : content;
    const reader = new LineReader(line, index + 1);
    if (reader.ended) return;
    const list = reader.accept("output ") ? outputs : reader.accept("update ") ? updates : undefined;
    if (list === undefined) {
      nodes.push(parseNode(reader, types));
      return;
    }
    const name = reader.string();
    reader.expect("=");
    list.push({ name, value: reader.value() });
    if (!reader.ended) reader.fail("the end of the line");
  });
  return { nodes, types, outputs, updates };
}
