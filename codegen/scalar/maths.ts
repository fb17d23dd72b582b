/**
 * Portable float32 mathematics: range-reduced, branch-free, the same operations in the same order in every dialect. The polynomials are
 * minimax fits made for Weft (weighted least squares, reweighted until the error is level, each coefficient rounded to f32 in turn).
 * Errors are measured against float64 by test/codegen/maths.test.ts.
 */
import type { Dialect } from "./dialect.js";
import type { Local, PortableFunction } from "./functions.js";

/** Horner's rule, lowest coefficient first. Every dialect may fuse the steps. */
function polynomial(x: string, coefficients: readonly string[]): string {
  return coefficients.reduceRight(
    (inner, coefficient) => (inner === "" ? `${coefficient}f` : `(${coefficient}f + ${x} * ${inner})`),
    "",
  );
}

const infinity = "weft_from_bits(0x7f800000u)";
const notANumber = "weft_from_bits(0x7fc00000u)";

/** 2^power for -252 <= power <= 254, applied to `value` in two steps so that results reach into the denormal numbers and up to infinity. */
function scaled(
  value: string,
  power: string,
  dialect: Dialect,
): { readonly locals: readonly Local[]; readonly value: string } {
  const factor = (exponent: string) => `weft_from_bits(${dialect.convert(`(${exponent} + 127)`, "i32", "u32")} << 23u)`;
  return {
    locals: [
      ["half_power", "i32", `${power} >> 1u`],
      ["other_half", "i32", `${power} - half_power`],
    ],
    value: `(${value} * ${factor("half_power")}) * ${factor("other_half")}`,
  };
}

/** e^x for |r| <= ln(2)/2, as 1 + r + r^2 P(r); relative error of the polynomial 2^-28. */
const expSeries = (r: string) =>
  `1.0f + (${r} + (${r} * ${r}) * ${polynomial(r, ["0.4999999403953552", "0.1666652113199234", "0.04166825860738754", "0.00836866907775402", "0.0013821304310113192"])})`;

/** Below 1.1 ulp where the result is a normal number. 0 below -104, infinity above 88.73. */
export const exp: PortableFunction = {
  name: "weft_exp",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [],
  body(dialect) {
    const tail = scaled("series", "power", dialect);
    return {
      locals: [
        ["below", "f32", dialect.select("x > 90.0f", "90.0f", "x")],
        ["bounded", "f32", dialect.select("below < -110.0f", "-110.0f", "below")],
        ["whole", "f32", `${dialect.builtin.floor}(bounded * 1.4426950216293335f + 0.5f)`],
        // ln 2 in two parts; the first has 9 bits, so its product with `whole` is exact.
        ["rest", "f32", "(bounded - whole * 0.693359375f) - whole * (-0.00021219444170128554f)"],
        ["series", "f32", expSeries("rest")],
        ["power", "i32", dialect.convert("whole", "f32", "i32")],
        ...tail.locals,
      ],
      value: tail.value,
    };
  },
};

/** Splits a positive finite x into significand [sqrt(1/2), sqrt(2)) and exponent; denormals are scaled up first. */
const split = (dialect: Dialect): readonly Local[] => [
  ["tiny", "bool", "x < 1.1754943508222875e-38f"],
  ["normal", "f32", dialect.select("tiny", "x * 33554432.0f", "x")],
  // 0x3f3504f3 is sqrt(1/2): the subtraction moves the step of the exponent there.
  ["moved", "u32", "weft_bits(normal) - 0x3f3504f3u"],
  ["power", "i32", `(${dialect.convert("moved", "u32", "i32")} >> 23u) - ${dialect.select("tiny", "25", "0")}`],
  ["significand", "f32", "weft_from_bits((moved & 0x007fffffu) + 0x3f3504f3u)"],
];

/** Natural logarithm; below 1 ulp. log(0) is -infinity, log of a negative number is NaN. */
export const log: PortableFunction = {
  name: "weft_log",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [],
  body: (dialect) => ({
    locals: [
      ...split(dialect),
      ["f", "f32", "significand - 1.0f"],
      ["square", "f32", "f * f"],
      ["n", "f32", dialect.convert("power", "i32", "f32")],
      [
        "series",
        "f32",
        `(square * f) * ${polynomial("f", ["0.3333331346511841", "-0.25000008940696716", "0.2000207155942917", "-0.16667988896369934", "0.14220358431339264", "-0.12406233698129654", "0.11883548647165298", "-0.11670098453760147", "0.06749269366264343"])}`,
      ],
      ["small", "f32", "(series + n * (-0.00021219444170128554f)) - 0.5f * square"],
      ["finite", "f32", "n * 0.693359375f + (f + small)"],
      // Infinity and NaN stand for themselves.
      ["ordered", "f32", dialect.select("x < 3.4028234663852886e38f", "finite", "x")],
      ["positive", "f32", dialect.select("x == 3.4028234663852886e38f", "finite", "ordered")],
      ["negative_too", "f32", dialect.select("x < 0.0f", notANumber, "positive")],
    ],
    value: dialect.select("x == 0.0f", `-${infinity}`, "negative_too"),
  }),
};

/** Sine of `r + quadrant * pi/2` for |r| a little over pi/4: below 1.5 ulp. */
const quarter: PortableFunction = {
  name: "weft_quarter",
  parameters: [
    ["r", "f32"],
    ["quadrant", "i32"],
  ],
  result: "f32",
  calls: [],
  body: (dialect) => ({
    locals: [
      ["square", "f32", "r * r"],
      [
        "sine",
        "f32",
        `r + (r * square) * ${polynomial("square", ["-0.16666655242443085", "0.008332187309861183", "-0.00019517906184773892"])}`,
      ],
      [
        "cosine",
        "f32",
        `1.0f + ((-0.5f * square) + (square * square) * ${polynomial("square", ["0.04166664555668831", "-0.0013887309469282627", "2.4432327336398885e-05"])})`,
      ],
      ["value", "f32", dialect.select("(quadrant & 1) == 1", "cosine", "sine")],
    ],
    value: dialect.select("(quadrant & 2) == 2", "-value", "value"),
  }),
};

/**
 * r and quadrant of x. pi/2 stands in four parts of 8, 11, 11 and 24 bits, so the first three products are exact for |x| up to 12,800
 * (|n| < 2^13); beyond, the absolute error grows with |x|.
 */
const reduced = (dialect: Dialect): readonly Local[] => [
  ["n", "f32", `${dialect.builtin.floor}(x * 0.6366197466850281f + 0.5f)`],
  [
    "r",
    "f32",
    "(((x - n * 1.5703125f) - n * 0.0004837512969970703f) - n * 7.549533620476723e-08f) - n * 2.5633441515971907e-12f",
  ],
];

/** Below 2.5 ulp for |x| <= 10,000. NaN for an infinite x. */
export const sin: PortableFunction = {
  name: "weft_sin",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [quarter],
  body: (dialect) => ({ locals: reduced(dialect), value: `weft_quarter(r, ${dialect.convert("n", "f32", "i32")})` }),
};

/** As `sin`. */
export const cos: PortableFunction = {
  name: "weft_cos",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [quarter],
  body: (dialect) => ({
    locals: reduced(dialect),
    value: `weft_quarter(r, ${dialect.convert("n", "f32", "i32")} + 1)`,
  }),
};

/** Sine of `turn` full circles (turn in [0, 1]) advanced by `quadrants` quarter circles; for Box-Muller, where the reduction is exact. */
export const sinOfTurn: PortableFunction = {
  name: "weft_sin_turn",
  parameters: [
    ["turn", "f32"],
    ["quadrants", "i32"],
  ],
  result: "f32",
  calls: [quarter],
  body: (dialect) => ({
    locals: [
      ["n", "f32", `${dialect.builtin.floor}(turn * 4.0f + 0.5f)`],
      ["r", "f32", "(turn - n * 0.25f) * 6.2831854820251465f"],
    ],
    value: `weft_quarter(r, ${dialect.convert("n", "f32", "i32")} + quadrants)`,
  }),
};

/** `value` (not negative) with the sign of x, also of zero. */
const withSign = (value: string) => `weft_from_bits(weft_bits(${value}) | (weft_bits(x) & 0x80000000u))`;

/** Below 1.5 ulp, also near 0 (polynomial in x below 0.625). */
export const tanh: PortableFunction = {
  name: "weft_tanh",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [exp],
  body: (dialect) => ({
    locals: [
      ["magnitude", "f32", `${dialect.builtin.absolute}(x)`],
      ["square", "f32", "magnitude * magnitude"],
      [
        "near",
        "f32",
        `magnitude + (magnitude * square) * ${polynomial("square", ["-0.3333333134651184", "0.13333220779895782", "-0.05394817888736725", "0.021706894040107727", "-0.008190013468265533", "0.002152683911845088"])}`,
      ],
      ["far", "f32", "1.0f - 2.0f / (weft_exp(2.0f * magnitude) + 1.0f)"],
      ["value", "f32", dialect.select("magnitude < 0.625f", "near", "far")],
    ],
    value: withSign("value"),
  }),
};

/** Below 1.5 ulp, also near 0. Below 0.9 a polynomial in x, above 1 - e^-p(x). */
export const erf: PortableFunction = {
  name: "weft_erf",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [exp],
  body: (dialect) => ({
    locals: [
      ["magnitude", "f32", `${dialect.builtin.absolute}(x)`],
      ["square", "f32", "magnitude * magnitude"],
      [
        "near",
        "f32",
        `magnitude + magnitude * ${polynomial("square", ["0.12837916612625122", "-0.3761262893676758", "0.11283624172210693", "-0.026855560019612312", "0.005191753152757883", "-0.0008039752719923854", "7.943100354168564e-05"])}`,
      ],
      ["bounded", "f32", dialect.select("magnitude > 4.0f", "4.0f", "magnitude")],
      [
        "exponent",
        "f32",
        polynomial("bounded", [
          "-0.00016920392226893455",
          "1.1294883489608765",
          "0.633401095867157",
          "0.1082199439406395",
          "-0.025080204010009766",
          "0.004156044684350491",
          "-0.00043133876170031726",
          "2.0822943042730913e-05",
        ]),
      ],
      ["far", "f32", "1.0f - weft_exp(-exponent)"],
      ["value", "f32", dialect.select("magnitude < 0.9f", "near", "far")],
    ],
    value: withSign("value"),
  }),
};

/** 1 / (1 + e^-x); below 3 ulp where the result is a normal number. */
export const logistic: PortableFunction = {
  name: "weft_logistic",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [exp],
  body: () => ({ locals: [], value: "1.0f / (1.0f + weft_exp(-x))" }),
};

/** 1 / sqrt(x); below 2 ulp. Infinity at 0, NaN below. */
export const rsqrt: PortableFunction = {
  name: "weft_rsqrt",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [],
  body: (dialect) => ({ locals: [], value: `1.0f / ${dialect.builtin.sqrt}(x)` }),
};

/** -1, 0 or 1; NaN and the sign of zero pass. */
export const sign: PortableFunction = {
  name: "weft_sign",
  parameters: [["x", "f32"]],
  result: "f32",
  calls: [],
  body: (dialect) => ({
    locals: [],
    value: dialect.select("x > 0.0f", "1.0f", dialect.select("x < 0.0f", "-1.0f", "x")),
  }),
};

const extremum = (name: string, comparison: string): PortableFunction => ({
  name,
  parameters: [
    ["a", "f32"],
    ["b", "f32"],
  ],
  result: "f32",
  calls: [],
  body(dialect) {
    const first = dialect.select(`(a ${comparison} b) ${dialect.or} ${dialect.isNaN("a")}`, "a", "b");
    return { locals: [], value: dialect.comparesNaN ? first : dialect.select(dialect.isNaN("b"), "b", first) };
  },
});

/** Larger of two numbers; NaN when either is. */
export const maximum = extremum("weft_maximum", ">");
/** Smaller of two numbers; NaN when either is. */
export const minimum = extremum("weft_minimum", "<");

/**
 * x^y as 2^(y log2|x|) with log2 in two floats (relative error 2^-30): below 3 ulp where the result is a normal number and |y| < 2^30.
 * A negative x needs an integer y; x^0 is 1; 0^y is 0 or infinity. The sign of a zero base is dropped.
 */
export const power: PortableFunction = {
  name: "weft_power",
  parameters: [
    ["base", "f32"],
    ["y", "f32"],
  ],
  result: "f32",
  calls: [],
  body(dialect) {
    /** The upper 12 bits: products of two such numbers are exact. */
    const upper = (value: string) => `weft_from_bits(weft_bits(${value}) & 0xfffff000u)`;
    const { floor, absolute } = dialect.builtin;
    const tail = scaled("series", "whole_power", dialect);
    const clampedAbove = dialect.select("y > 1.099511627776e12f", "1.099511627776e12f", "y");
    return {
      locals: [
        ["x", "f32", `${absolute}(base)`],
        ...split(dialect),
        // s = (significand - 1) / (significand + 1), in two parts.
        ["f", "f32", "significand - 1.0f"],
        ["denominator", "f32", "significand + 1.0f"],
        ["denominator_upper", "f32", upper("denominator")],
        ["denominator_lower", "f32", "significand - (denominator_upper - 1.0f)"],
        ["s", "f32", "f / denominator"],
        ["s_upper", "f32", upper("s")],
        ["s_lower", "f32", "((f - s_upper * denominator_upper) - s_upper * denominator_lower) / denominator"],
        ["square", "f32", "s * s"],
        // log2 of the significand = 2/ln(2) (s + s^3/3 + ...); 2/ln(2) = 2.884765625 + 0.000624456...
        ["first", "f32", "s_upper * 2.884765625f"],
        [
          "remainder",
          "f32",
          `(s_upper * 0.0006244567921385169f + s_lower * 2.885390043258667f) + (s * square) * ${polynomial("square", ["0.9617967009544373", "0.5770788788795471", "0.4119213819503784", "0.33662864565849304"])}`,
        ],
        ["n", "f32", dialect.convert("power", "i32", "f32")],
        ["sum", "f32", "n + first"],
        ["sum_rest", "f32", "(first - (sum - n)) + remainder"],
        ["logarithm", "f32", "sum + sum_rest"],
        ["logarithm_rest", "f32", "sum_rest - (logarithm - sum)"],
        ["logarithm_upper", "f32", upper("logarithm")],
        ["logarithm_lower", "f32", "(logarithm - logarithm_upper) + logarithm_rest"],
        ["y_above", "f32", clampedAbove],
        ["y_bounded", "f32", dialect.select("y_above < -1.099511627776e12f", "-1.099511627776e12f", "y_above")],
        ["y_upper", "f32", upper("y_bounded")],
        ["y_lower", "f32", "y_bounded - y_upper"],
        ["main", "f32", "y_upper * logarithm_upper"],
        ["rest", "f32", "(y_upper * logarithm_lower + y_lower * logarithm_upper) + y_lower * logarithm_lower"],
        ["main_below", "f32", dialect.select("main > 200.0f", "200.0f", "main")],
        ["main_bounded", "f32", dialect.select("main_below < -200.0f", "-200.0f", "main_below")],
        ["rest_bounded", "f32", dialect.select(`${absolute}(main) > 200.0f`, "0.0f", "rest")],
        ["whole", "f32", `${floor}(main_bounded + rest_bounded + 0.5f)`],
        ["fraction", "f32", "((main_bounded - whole) + rest_bounded) * 0.6931471824645996f"],
        ["series", "f32", expSeries("fraction")],
        ["whole_power", "i32", dialect.convert("whole", "f32", "i32")],
        ...tail.locals,
        ["finite", "f32", tail.value],
        // What the logarithm of 0 and infinity would give, by the sign of y.
        ["vanishing", "f32", dialect.select("y > 0.0f", "0.0f", infinity)],
        ["unbounded", "f32", dialect.select("y > 0.0f", infinity, "0.0f")],
        ["from_zero", "f32", dialect.select("x == 0.0f", "vanishing", "finite")],
        ["from_infinity", "f32", dialect.select("x > 3.4028234663852886e38f", "unbounded", "from_zero")],
        [
          "number",
          "f32",
          dialect.select(dialect.isNaN("x"), "x", dialect.select(dialect.isNaN("y"), "y", "from_infinity")),
        ],
        ["integral", "bool", `${floor}(y) == y`],
        ["halved", "f32", "y * 0.5f"],
        ["odd", "bool", `${floor}(halved) != halved`],
        ["mirrored", "f32", dialect.select("integral", dialect.select("odd", "-number", "number"), notANumber)],
        ["negative_too", "f32", dialect.select("base < 0.0f", "mirrored", "number")],
      ],
      value: dialect.select("y == 0.0f", "1.0f", "negative_too"),
    };
  },
};

/** Clamps an index to 0..limit-1. */
export const clampIndex: PortableFunction = {
  name: "weft_clamp_index",
  parameters: [
    ["index", "i32"],
    ["limit", "i32"],
  ],
  result: "i32",
  calls: [],
  body: (dialect) => ({
    locals: [["above", "i32", dialect.select("index < 0", "0", "index")]],
    value: dialect.select("above >= limit", "limit - 1", "above"),
  }),
};

/** x - floor(x / y) * y; 0 for what is a multiple of y, also where the quotient is a little off. */
export const remainder: PortableFunction = {
  name: "weft_remainder_f32",
  parameters: [
    ["x", "f32"],
    ["y", "f32"],
  ],
  result: "f32",
  calls: [],
  body(dialect) {
    const floored = `${dialect.builtin.floor}(x / y)`;
    if (dialect.dividesExactly) return { locals: [], value: `x - ${floored} * y` };
    return {
      locals: [
        ["whole", "f32", floored],
        ["product", "f32", "whole * y"],
        ["next", "f32", "(whole + 1.0f) * y"],
        ["is_low", "bool", dialect.select("y < 0.0f", "next >= x", "next <= x")],
        ["is_high", "bool", dialect.select("y < 0.0f", "product < x", "product > x")],
        ["raised", "f32", dialect.select("is_low", "whole + 1.0f", "whole")],
        ["multiple", "f32", dialect.select("is_high", "whole - 1.0f", "raised")],
      ],
      value: "x - multiple * y",
    };
  },
};
