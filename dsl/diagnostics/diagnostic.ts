/** A range of UTF-16 code units in one source file. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** A further place that explains a diagnostic: where the other shape came from, or the module instance that led here. */
export interface Label {
  readonly span: Span;
  readonly text: string;
}

export type Severity = "error" | "warning";

/** One message to the user. `code` is a key of the registry (`registry.ts`), which holds the text and the help of every message. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly span: Span;
  readonly labels: readonly Label[];
  /** What to do about it. */
  readonly help?: string;
}

/** Thrown by passes that cannot go on; carries at least one diagnostic. */
export class WeftError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((diagnostic) => `${diagnostic.code}: ${diagnostic.message}`).join("\n"));
    this.name = "WeftError";
  }
}
