import type { Message } from "../registry.js";
import { buildMessages } from "./build.js";
import { checkMessages } from "./check.js";
import { compileMessages } from "./compile.js";
import { syntaxMessages } from "./syntax.js";

// biome-ignore lint/suspicious/noExplicitAny: a message of any values
type AnyMessage = Message<any>;

/** Every message of the compiler, by code. */
export const allMessages: ReadonlyMap<string, AnyMessage> = joined([
  syntaxMessages,
  checkMessages,
  buildMessages,
  compileMessages,
]);

function joined(groups: readonly Readonly<Record<string, AnyMessage>>[]): ReadonlyMap<string, AnyMessage> {
  const messages = new Map<string, AnyMessage>();
  for (const message of groups.flatMap((group) => Object.values(group))) {
    if (messages.has(message.code)) throw new Error(`two messages have the code ${message.code}`);
    messages.set(message.code, message);
  }
  return messages;
}
