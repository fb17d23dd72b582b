/** Laws of numbers. What depends on infinities and not-a-number is left alone where programs test for them: x - x stays. */
import { isInteger } from "../../graph/dtype.js";
import { constantLike, zerosLike } from "../../primitives/operations.js";
import { type AnyRule, rule, rules } from "./rule.js";

const isPowerOfTwo = (value: number): boolean =>
  value !== 0 && Number.isFinite(value) && Number.isInteger(Math.log2(Math.abs(value)));

/** Whether a product of constants can stand for them: neither overflows nor vanishes in float32. */
const isOrdinary = (value: number): boolean => Math.abs(value) < 1e37 && Math.abs(value) > 1e-37;

export const arithmeticRules: readonly AnyRule[] = [
  ...rules(
    ["add", "multiply", "maximum", "minimum", "equal", "and", "or"],
    "c + x = x + c",
    (primitive) =>
      (b, [x, y]) =>
        b.splat(x) !== undefined && b.splat(y) === undefined ? b.add(primitive, [y, x], {}) : undefined,
  ),

  rule("add", "x + 0 = x", (b, [x, y]) => (b.splat(y) === 0 ? x : undefined)),
  rule("add", "x + x = x * 2", (b, [x, y]) =>
    x === y ? b.add("multiply", [x, constantLike(b, 2, x)], {}) : undefined,
  ),
  rule("add", "x + -y = x - y", (b, [x, y]) => {
    const negated = b.producer(y, "negate");
    return negated && b.add("subtract", [x, negated.inputs[0]!], {});
  }),
  rule("add", "-x + y = y - x", (b, [x, y]) => {
    const negated = b.producer(x, "negate");
    return negated && b.add("subtract", [y, negated.inputs[0]!], {});
  }),

  rule("subtract", "x - 0 = x", (b, [x, y]) => (b.splat(y) === 0 ? x : undefined)),
  rule("subtract", "0 - x = -x", (b, [x, y]) =>
    b.splat(x) === 0 && b.type(y).dtype !== "u32" ? b.add("negate", [y], {}) : undefined,
  ),
  rule("subtract", "x - -y = x + y", (b, [x, y]) => {
    const negated = b.producer(y, "negate");
    return negated && b.add("add", [x, negated.inputs[0]!], {});
  }),

  rule("negate", "--x = x", (b, [x]) => b.producer(x, "negate")?.inputs[0]),
  rule("negate", "-(x - y) = y - x", (b, [x]) => {
    const difference = b.producer(x, "subtract");
    return difference && b.usedOnce(x)
      ? b.add("subtract", [difference.inputs[1]!, difference.inputs[0]!], {})
      : undefined;
  }),
  rule("negate", "-(x * c) = x * -c", (b, [x]) => {
    const product = b.producer(x, "multiply");
    const factor = product && b.splat(product.inputs[1]!);
    return factor === undefined ? undefined : b.add("multiply", [product!.inputs[0]!, constantLike(b, -factor, x)], {});
  }),

  rule("multiply", "x * 1 = x", (b, [x, y]) => (b.splat(y) === 1 ? x : undefined)),
  rule("multiply", "x * 0 = 0", (b, [, y]) => (b.splat(y) === 0 ? y : undefined)),
  rule("multiply", "x * -1 = -x", (b, [x, y]) => (b.splat(y) === -1 ? b.add("negate", [x], {}) : undefined)),
  rule("multiply", "(x * c) * d = x * (c d)", (b, [x, y]) => {
    const inner = b.producer(x, "multiply");
    const [c, d] = [inner && b.splat(inner.inputs[1]!), b.splat(y)];
    if (c === undefined || d === undefined || !isOrdinary(c * d) || isInteger(b.type(x).dtype)) return undefined;
    return b.add("multiply", [inner!.inputs[0]!, constantLike(b, c * d, x)], {});
  }),
  rule("multiply", "-x * c = x * -c", (b, [x, y]) => {
    const negated = b.producer(x, "negate");
    const factor = b.splat(y);
    if (!negated || factor === undefined) return undefined;
    return b.add("multiply", [negated.inputs[0]!, constantLike(b, -factor, x)], {});
  }),
  rule("multiply", "-x * -y = x * y", (b, [x, y]) => {
    const [left, right] = [b.producer(x, "negate"), b.producer(y, "negate")];
    return left && right && b.add("multiply", [left.inputs[0]!, right.inputs[0]!], {});
  }),

  rule("divide", "x / 1 = x", (b, [x, y]) => (b.splat(y) === 1 ? x : undefined)),
  rule("divide", "x / 2^k = x * 2^-k", (b, [x, y]) => {
    const divisor = b.splat(y);
    if (divisor === undefined || !isPowerOfTwo(divisor) || isInteger(b.type(x).dtype)) return undefined;
    return b.add("multiply", [x, constantLike(b, 1 / divisor, x)], {});
  }),
  rule("divide", "1 / sqrt(x) = rsqrt(x)", (b, [x, y]) => {
    const root = b.producer(y, "sqrt");
    return root && b.splat(x) === 1 ? b.add("rsqrt", [root.inputs[0]!], {}) : undefined;
  }),

  rule("power", "x ^ n = x * .. * x", (b, [x, y]) => {
    switch (b.splat(y)) {
      case 0:
        return constantLike(b, 1, x);
      case 1:
        return x;
      case 2:
        return b.add("multiply", [x, x], {});
      case 3:
        return b.add("multiply", [b.add("multiply", [x, x], {}), x], {});
      case 0.5:
        return b.add("sqrt", [x], {});
      case -0.5:
        return b.add("rsqrt", [x], {});
      case -1:
        return b.add("divide", [constantLike(b, 1, x), x], {});
      default:
        return undefined;
    }
  }),

  ...rules(
    ["maximum", "minimum"],
    "max(x, x) = x",
    () =>
      (_, [x, y]) =>
        x === y ? x : undefined,
  ),
  rule("floor", "floor(floor(x)) = floor(x)", (b, [x]) => (b.producer(x, "floor") ? x : undefined)),
  rule("remainder", "i mod 1 = 0", (b, [x, y]) =>
    b.splat(y) === 1 && isInteger(b.type(x).dtype) ? zerosLike(b, x) : undefined,
  ),
];
