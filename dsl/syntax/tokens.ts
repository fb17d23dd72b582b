/**
 * The words and signs of Weft. Soft words are names everywhere except in the one place where the grammar asks for them.
 */
import { createToken, Lexer, type TokenType } from "chevrotain";

// Categories: never lexed themselves.
export const Name = createToken({ name: "Name", pattern: Lexer.NA });
export const BinarySign = createToken({ name: "BinarySign", pattern: Lexer.NA });
export const PrefixSign = createToken({ name: "PrefixSign", pattern: Lexer.NA });
/**
 * Every token but `}`, the end of a line and the end of the file: lets the parser report what cannot begin a line, and
 * go on.
 */
export const Anything = createToken({ name: "Anything", pattern: Lexer.NA });

/**
 * A word with letters beyond ASCII: reported by `lex` as a whole, and a name to the parser, so that one mistake is one message.
 */
export const ForeignName = createToken({
  name: "ForeignName",
  pattern:
    /[A-Za-z0-9_]*[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u3040-\ud7ff][\w\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u3040-\ud7ff]*/,
  categories: [Name, Anything],
  line_breaks: false,
});

const identifier = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  longer_alt: ForeignName,
  categories: [Name, Anything],
});

function word(text: string, categories: TokenType[] = []): TokenType {
  return createToken({
    name: `word:${text}`,
    label: text,
    pattern: text,
    longer_alt: [identifier, ForeignName],
    categories: [Anything, ...categories],
  });
}

function softWord(text: string): TokenType {
  return word(text, [Name]);
}

function sign(text: string, categories: TokenType[] = []): TokenType {
  return createToken({ name: `sign:${text}`, label: text, pattern: text, categories: [Anything, ...categories] });
}

export const Identifier = identifier;

// Words that are never names.
export const Let = word("let");
export const For = word("for");
export const In = word("in");
export const If = word("if");
export const Else = word("else");
export const And = word("and", [BinarySign]);
export const Or = word("or", [BinarySign]);
export const Not = word("not", [PrefixSign]);
export const True = word("true");
export const False = word("false");
export const Assert = word("assert");

// Words that are names outside their place.
export const Import = softWord("import");
export const From = softWord("from");
export const As = softWord("as");
export const Module = softWord("module");
export const Interface = softWord("interface");
export const Layout = softWord("layout");
export const Model = softWord("model");
export const Fn = softWord("fn");
export const On = softWord("on");
export const Param = softWord("param");
export const Slot = softWord("slot");
export const Frozen = softWord("frozen");
export const Given = softWord("given");
export const Shared = softWord("shared");
export const Train = softWord("train");
export const Evaluate = softWord("evaluate");
export const Sample = softWord("sample");
export const Collect = softWord("collect");
export const Into = softWord("into");
export const Adapt = softWord("adapt");
export const With = softWord("with");
export const At = softWord("at");
export const By = softWord("by");
export const Ragged = softWord("ragged");

// Signs, longer ones before their beginnings.
export const Ellipsis = sign("...");
export const DotDot = sign("..");
export const Dot = sign(".");
export const Arrow = sign("->");
export const Equal = sign("==", [BinarySign]);
export const NotEqual = sign("!=", [BinarySign]);
export const LessEqual = sign("<=", [BinarySign]);
export const GreaterEqual = sign(">=", [BinarySign]);
export const Less = sign("<", [BinarySign]);
export const Greater = sign(">", [BinarySign]);
export const Assign = sign("=");
export const Power = sign("**", [BinarySign]);
export const Star = sign("*", [BinarySign]);
export const FloorDivide = sign("//", [BinarySign]);
export const Divide = sign("/", [BinarySign]);
export const Plus = sign("+", [BinarySign]);
export const Minus = sign("-", [BinarySign, PrefixSign]);
export const Percent = sign("%", [BinarySign]);
export const Product = sign("@", [BinarySign]);
export const Comma = sign(",");
export const Colon = sign(":");
export const LeftParenthesis = sign("(");
export const RightParenthesis = sign(")");
export const LeftBracket = sign("[");
export const RightBracket = sign("]");
export const LeftBrace = sign("{");
/** Not `Anything`: it ends a block. */
export const RightBrace = createToken({ name: "sign:}", label: "}", pattern: "}" });

export const FloatLiteral = createToken({
  name: "Float",
  pattern: /\d+(?:_\d+)*(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)/,
  categories: [Anything],
});
export const IntLiteral = createToken({ name: "Int", pattern: /\d+(?:_\d+)*/, categories: [Anything] });
export const StringLiteral = createToken({
  name: "String",
  pattern: /"(?:[^"\\\r\n]|\\[^\r\n])*"/,
  categories: [Anything],
});
/** A string whose line ends first; reported by `lex`, and a string to the parser. */
export const UnclosedString = createToken({
  name: "UnclosedString",
  pattern: /"(?:[^"\\\r\n]|\\[^\r\n])*\\?/,
  categories: [StringLiteral, Anything],
});

export const Newline = createToken({ name: "Newline", pattern: /\r\n|\n|\r/, line_breaks: true });
const whitespace = createToken({ name: "Whitespace", pattern: /[ \t\f\v\u00a0\ufeff]+/, group: Lexer.SKIPPED });
export const DocComment = createToken({ name: "DocComment", pattern: /\/\/\/[^\r\n]*/, group: "comments" });
export const LineComment = createToken({ name: "LineComment", pattern: /#[^\r\n]*/, group: "comments" });

// biome-ignore format: a list of words
export const softWords: readonly TokenType[] = [
  Import, From, As, Module, Interface, Layout, Model, Fn, On, Param, Slot, Frozen, Given, Shared, Train, Evaluate, Sample,
  Collect, Into, Adapt, With, At, By, Ragged,
];
export const hardWords: readonly TokenType[] = [Let, For, In, If, Else, And, Or, Not, True, False, Assert];

// biome-ignore format: a list of signs
const signs: readonly TokenType[] = [
  Ellipsis, DotDot, Dot, Arrow, Equal, NotEqual, LessEqual, GreaterEqual, Less, Greater, Assign, Power, Star, FloorDivide,
  Divide, Plus, Minus, Percent, Product, Comma, Colon, LeftParenthesis, RightParenthesis, LeftBracket, RightBracket,
  LeftBrace, RightBrace,
];

/** Longer words first: `interface` begins with `in`. */
const words = [...hardWords, ...softWords].sort((a, b) => b.LABEL!.length - a.LABEL!.length);

/** In the order in which the lexer tries them. */
// biome-ignore format: a list
export const lexedTokens: TokenType[] = [
  whitespace, Newline, DocComment, LineComment, ...words, Identifier, ForeignName, FloatLiteral, IntLiteral,
  StringLiteral, UnclosedString, ...signs,
];

export const allTokens: TokenType[] = [Name, BinarySign, PrefixSign, Anything, ...lexedTokens];
