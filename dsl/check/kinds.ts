import type {
  Declaration,
  FunctionDeclaration,
  InterfaceDeclaration,
  LayoutDeclaration,
  ModuleDeclaration,
} from "../syntax/tree.js";

/**
 * What is known of a value before any size is: enough to refuse what can never be right. `unknown` is left to
 * `src/build`.
 */
export type Kind =
  | { readonly kind: "unknown" }
  | { readonly kind: "int" }
  | { readonly kind: "float" }
  | { readonly kind: "bool" }
  | { readonly kind: "string" }
  | { readonly kind: "list" }
  | { readonly kind: "tuple" }
  | { readonly kind: "tensor" }
  | { readonly kind: "grid" }
  | { readonly kind: "initializer" }
  | { readonly kind: "operator" }
  | { readonly kind: "optimizer" }
  | { readonly kind: "schedule" }
  | { readonly kind: "solver" }
  | { readonly kind: "adaptation" }
  | { readonly kind: "builtin"; readonly name: string }
  | { readonly kind: "declaration"; readonly declaration: Declaration }
  /** A method of an instance or of the enclosing declaration, or a top-level function by another way. */
  | { readonly kind: "method"; readonly declaration: FunctionDeclaration }
  | { readonly kind: "instance"; readonly declaration: ModuleDeclaration }
  /** The module that an interface changes: one of several. */
  | { readonly kind: "base"; readonly modules: readonly ModuleDeclaration[] }
  /** Which one is not known where a parameter holds it. */
  | { readonly kind: "interface"; readonly declaration: InterfaceDeclaration | undefined }
  | { readonly kind: "layout"; readonly declaration: LayoutDeclaration };

export const unknown: Kind = { kind: "unknown" };

export function describeKind(kind: Kind): string {
  switch (kind.kind) {
    case "unknown":
      return "a value";
    case "int":
    case "operator":
    case "initializer":
    case "optimizer":
      return `an ${kind.kind}`;
    case "float":
    case "bool":
    case "string":
    case "list":
    case "tuple":
    case "tensor":
    case "solver":
      return `a ${kind.kind}`;
    case "grid":
      return "a token grid";
    case "schedule":
      return "a learning-rate schedule";
    case "adaptation":
      return "an adaptation";
    case "builtin":
      return `the built-in \`${kind.name}\``;
    case "declaration":
      return `the ${kind.declaration.kind} \`${kind.declaration.name.text}\``;
    case "method":
      return `the method \`${kind.declaration.name.text}\``;
    case "instance":
      return `the module \`${kind.declaration.name.text}\``;
    case "base":
      return "`base`";
    case "interface":
      return kind.declaration === undefined
        ? "an interface with its arguments"
        : `the interface \`${kind.declaration.name.text}\``;
    case "layout":
      return `the layout \`${kind.declaration.name.text}\``;
  }
}
