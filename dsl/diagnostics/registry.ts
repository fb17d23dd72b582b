import type { Diagnostic, Label, Severity, Span } from "./diagnostic.js";

/**
 * One message of the compiler. Messages stand in `messages/`, one file per part of the compiler, and every one carries the smallest
 * text that causes it; a test compiles each of them.
 */
export interface Message<Values extends object> {
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, in the user's terms: one sentence, without a final full stop. */
  readonly text: (values: Values) => string;
  /** How to fix it. */
  readonly help?: (values: Values) => string | undefined;
  /** A whole file that causes exactly this message. */
  readonly example: string;
}

export function defineMessage<Values extends object = Record<never, never>>(
  message: Omit<Message<Values>, "severity"> & { severity?: Severity },
): Message<Values> {
  return { severity: "error", ...message };
}

/** Fills in a message for one place of the source. */
export function diagnose<Values extends object>(
  message: Message<Values>,
  span: Span,
  values: Values,
  labels: readonly Label[] = [],
): Diagnostic {
  const help = message.help?.(values);
  return {
    code: message.code,
    severity: message.severity,
    message: message.text(values),
    span,
    labels,
    ...(help === undefined ? {} : { help }),
  };
}
