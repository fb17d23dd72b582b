import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { NamedType, Type } from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { kindOf, nameKind } from "./expressions.js";
import { kindWords } from "./members.js";
import { nearest } from "./nearest.js";
import { lookup, type Scope, visibleNames } from "./scope.js";

/**
 * Binds the axis names of a signature: a name that stands alone as an axis, and is not known yet, is the size of that
 * axis.
 */
export function bindAxes(type: Type, scope: Scope): void {
  switch (type.kind) {
    case "tensor":
      for (const axis of type.axes) {
        if (axis.kind !== "size") continue;
        if (axis.label !== undefined) scope.names.set(axis.label.text, { kind: "int" });
        if (axis.size.kind !== "name") continue;
        const known = lookup(scope, axis.size.name);
        if (known === undefined || known.kind === "builtin" || known.kind === "declaration") {
          scope.names.set(axis.size.name, { kind: "int" });
        }
      }
      return;
    case "tuple":
      for (const item of type.items) bindAxes(item, scope);
      return;
    case "named":
      return;
  }
}

/** All names in a type must be known; axis names of signatures are bound before. */
export function checkType(checker: Checker, type: Type, scope: Scope): void {
  switch (type.kind) {
    case "tensor":
      for (const axis of type.axes) {
        switch (axis.kind) {
          case "leading":
            break;
          case "upTo":
          case "size":
            kindOf(checker, axis.size, scope);
            break;
          case "spread":
            kindOf(checker, axis.sizes, scope);
            break;
        }
      }
      return;
    case "tuple":
      for (const item of type.items) checkType(checker, item, scope);
      return;
    case "named":
      checkNamedType(checker, type, scope);
      return;
  }
}

function checkNamedType(checker: Checker, type: NamedType, scope: Scope): void {
  const first = type.path[0]!;
  if (type.path.length > 1) {
    nameKind(checker, first, scope);
    return;
  }
  if (kindWords.includes(first.text)) return;
  const declared = lookup(scope, first.text);
  if (declared?.kind === "unknown") return;
  if (declared?.kind === "declaration" && declared.declaration.kind === "module") return;
  const modules = visibleNames(scope).filter((name) => {
    const kind = lookup(scope, name);
    return kind?.kind === "declaration" && kind.declaration.kind === "module";
  });
  const values = { name: first.text, nearest: nearest(first.text, [...kindWords, ...modules]) };
  checker.report(diagnose(messages.unknownType, type.span, values));
}
