export interface DuplicateKey {
  readonly key: string;
  /** 1: a key of the outermost object. */
  readonly depth: number;
  /** Keys of the objects around it, outermost first. */
  readonly path: readonly string[];
}

/**
 * The first key that an object of a JSON text holds twice; `JSON.parse` would silently keep the later one. The text must be valid JSON.
 */
export function duplicateKey(text: string): DuplicateKey | undefined {
  // One entry per open bracket: the keys seen and the current one for an object, undefined for an array.
  const open: ({ readonly keys: Set<string>; current: string } | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    switch (match[0]) {
      case "{":
        open.push({ keys: new Set(), current: "" });
        break;
      case "[":
        open.push(undefined);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      default: {
        const object = open.at(-1);
        if (object === undefined || !isKey(text, token.lastIndex)) break;
        const key = JSON.parse(match[0]) as string;
        if (object.keys.has(key)) {
          const path = open.slice(0, -1).map((outer) => outer?.current ?? "");
          return { key, depth: open.length, path };
        }
        object.keys.add(key);
        object.current = key;
      }
    }
  }
  return undefined;
}

/** Whether the string that ends at `end` is followed by a colon. */
function isKey(text: string, end: number): boolean {
  let position = end;
  while (" \t\r\n".includes(text[position] ?? "x")) position++;
  return text[position] === ":";
}
