import type { CheckedProgram } from "../../dsl/check/check.js";
import type { Diagnostic, Label, Span } from "../../dsl/diagnostics/diagnostic.js";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { diagnose, type Message } from "../../dsl/diagnostics/registry.js";
import type { Name } from "../../dsl/syntax/tree.js";
import type { Scope } from "./scope.js";
import type { Trace } from "./trace.js";
import type { Adaptation, WeightDefinition } from "./values.js";

/** One call or making of a module that led to the expression being evaluated. */
export interface Frame {
  /** Path of the module instance whose text is being run; "" for the model itself. */
  readonly path: string;
  /** What the call chain of a message shows: `in backbone.blocks.3.attn`. */
  readonly what: string;
  /** What happens at `span`; "called here" when left out. */
  readonly how?: string;
  readonly span: Span;
}

/** A stored tensor as a stage left it: `net at first`. */
export interface Copy {
  readonly definition: WeightDefinition;
  readonly stage: Name;
}

/** All that is known while one model is built. */
export interface Context {
  readonly program: CheckedProgram;
  /** The scope of each file's top level. */
  readonly fileScopes: Map<string, Scope>;
  readonly adaptations: Adaptation[];
  /** Stored tensors that some function reads as a stage left them, by the paths of their copies. */
  readonly copies: Map<string, Copy>;
  readonly frames: Frame[];
  /** The graph being traced; absent while structure is built. */
  trace: Trace | undefined;
}

const deepestCall = 400;

/** Runs `body` one call deeper, so that its messages tell the way there. */
export function within<T>(context: Context, frame: Frame, tooDeep: () => never, body: () => T): T {
  if (context.frames.length >= deepestCall) tooDeep();
  context.frames.push(frame);
  try {
    return body();
  } finally {
    context.frames.pop();
  }
}

/** The module instances and calls that led here, innermost first; each said once. */
export function callChain(context: Context): Label[] {
  const labels = new Map<string, Label>();
  for (const { span, what, how = "called here" } of context.frames.slice(-24).reverse()) {
    const text = how === "" ? what : `${what}, ${how}`;
    const key = `${span.file} ${span.start} ${text}`;
    if (!labels.has(key) && labels.size < 12) labels.set(key, { span, text });
  }
  return [...labels.values()];
}

export function fail<Values extends object>(
  context: Context,
  message: Message<Values>,
  span: Span,
  values: Values,
  labels: readonly Label[] = [],
): never {
  throw new WeftError([diagnose(message, span, values, [...labels, ...callChain(context)])]);
}

/** Collects what several independent steps report, so that one mistake does not hide the next. */
export class Reports {
  readonly #known = new Set<string>();
  readonly diagnostics: Diagnostic[] = [];

  /** The result of `step`, or undefined when it reported something. */
  collect<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      for (const diagnostic of error.diagnostics) this.add(diagnostic);
      return undefined;
    }
  }

  add(diagnostic: Diagnostic): void {
    const { file, start, end } = diagnostic.span;
    const key = `${diagnostic.code} ${file} ${start} ${end} ${diagnostic.message}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.diagnostics.push(diagnostic);
  }

  throwIfAny(): void {
    if (this.diagnostics.some((diagnostic) => diagnostic.severity === "error")) throw new WeftError(this.diagnostics);
  }
}
