/**
 * Text with places where it may be broken, and the printer that breaks it: outer groups first, a group on one line when
 * it fits. Comments are part of the text: what follows one always begins a new line.
 */
export type Doc =
  | string
  | readonly Doc[]
  /** A space, or a new line when its group is broken; `soft`: nothing instead of the space. */
  | { readonly kind: "line"; readonly soft: boolean }
  /** A new line in any case. */
  | { readonly kind: "break" }
  /** Deeper lines; `always`: even where its group is on one line, as blocks may still have lines in it. */
  | { readonly kind: "indent"; readonly content: Doc; readonly always: boolean }
  /** On one line when it fits and nothing in it forces otherwise. */
  | { readonly kind: "group"; readonly content: Doc; readonly broken: boolean }
  /** Lines of their own, whatever stands around them; `blank`: with an empty line before. */
  | { readonly kind: "lines"; readonly lines: readonly { readonly doc: Doc; readonly blank: boolean }[] }
  /** `flat` when it fits on the line that begins here, else `broken`. */
  | { readonly kind: "choice"; readonly flat: string; readonly broken: Doc }
  /** `own`: on a line of its own; otherwise behind what stands before it. */
  | { readonly kind: "comment"; readonly text: string; readonly own: boolean };

export const line: Doc = { kind: "line", soft: false };
export const softLine: Doc = { kind: "line", soft: true };

export const lineBreak: Doc = { kind: "break" };

export function indent(content: Doc, always = false): Doc {
  return { kind: "indent", content, always };
}

export function group(content: Doc, broken = false): Doc {
  return { kind: "group", content, broken };
}

const unit = 2;

interface Task {
  readonly doc: Doc;
  readonly indent: number;
  readonly flat: boolean;
}

/** Prints a document in lines of at most `width` columns where it can be broken, none with spaces at its end. */
export function print(doc: Doc, width: number): string {
  const finished: string[] = [];
  let current = "";
  let afterComment = false;
  const tasks: Task[] = [{ doc, indent: 0, flat: false }];

  const newLine = (depth: number): void => {
    finished.push(current.trimEnd());
    current = " ".repeat(depth);
    afterComment = false;
  };
  const write = (part: string, depth: number): void => {
    if (part === "") return;
    if (!afterComment) {
      current += part;
      return;
    }
    newLine(depth);
    current += part.trimStart();
  };

  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
    const { doc: part, indent: depth, flat } = task;
    if (typeof part === "string") {
      write(part, depth);
      continue;
    }
    if (isList(part)) {
      for (let index = part.length - 1; index >= 0; index -= 1) tasks.push({ doc: part[index]!, indent: depth, flat });
      continue;
    }
    switch (part.kind) {
      case "line":
        if (!flat || afterComment) newLine(depth);
        else if (!part.soft) write(" ", depth);
        break;
      case "break":
        newLine(depth);
        break;
      case "indent":
        tasks.push({ doc: part.content, indent: flat && !part.always ? depth : depth + unit, flat });
        break;
      case "group": {
        const column = afterComment ? depth : current.length;
        const fitting = !part.broken && (flat || fits(part.content, tasks, width - column));
        tasks.push({ doc: part.content, indent: depth, flat: fitting });
        break;
      }
      case "lines":
        for (let index = part.lines.length - 1; index >= 0; index -= 1) {
          tasks.push({ doc: part.lines[index]!.doc, indent: depth, flat: false });
          if (index > 0) tasks.push({ doc: part.lines[index]!.blank ? blankLine : lineBreak, indent: depth, flat });
        }
        break;
      case "choice":
        if (current.length + part.flat.length <= width) write(part.flat, depth);
        else tasks.push({ doc: part.broken, indent: depth, flat: false });
        break;
      case "comment":
        if (afterComment || (part.own && current.trim() !== "")) newLine(depth);
        current = current.trim() === "" ? current + part.text : `${current.trimEnd()} ${part.text}`;
        afterComment = true;
        break;
    }
  }
  return [...finished, current.trimEnd()].join("\n");
}

const blankLine: Doc = [lineBreak, lineBreak];

function isList(doc: Exclude<Doc, string>): doc is readonly Doc[] {
  return Array.isArray(doc);
}

/** Whether everything up to the next certain new line fits into `room` columns when the content is not broken. */
function fits(content: Doc, rest: readonly Task[], room: number): boolean {
  let left = room;
  let next = rest.length - 1;
  const tasks: Task[] = [{ doc: content, indent: 0, flat: true }];
  for (;;) {
    if (left < 0) return false;
    const task = tasks.pop() ?? rest[next--];
    if (task === undefined) return true;
    const { doc, flat } = task;
    if (typeof doc === "string") {
      left -= doc.length;
      continue;
    }
    if (isList(doc)) {
      for (let index = doc.length - 1; index >= 0; index -= 1) tasks.push({ ...task, doc: doc[index]! });
      continue;
    }
    switch (doc.kind) {
      case "line":
        if (!flat) return true;
        left -= doc.soft ? 0 : 1;
        break;
      case "indent":
        tasks.push({ ...task, doc: doc.content });
        break;
      case "group":
        tasks.push({ ...task, doc: doc.content, flat: flat && !doc.broken });
        break;
      case "choice":
        left -= doc.flat.length;
        break;
      case "comment":
        // Comments before the first word stand on lines above it.
        if (!doc.own || left < room) return true;
        break;
      case "break":
      case "lines":
        return true;
    }
  }
}
