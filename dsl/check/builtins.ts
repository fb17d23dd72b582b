/**
 * The names that every file knows without importing them, with their parameters: one table, read by `check` (arity and
 * argument names) and by `src/build` (argument binding and defaults). A name may have several forms, told apart by how
 * it is used: `zeros([4])` is a tensor, `zeros()` an initializer; `linear(..)` a learning-rate schedule.
 */

export type BuiltinDefault = number | boolean | string | null;

export interface BuiltinParameter {
  readonly name: string;
  readonly required: boolean;
  /** The value when left out; undefined when the built-in computes it itself. */
  readonly default?: BuiltinDefault;
}

export type BuiltinUse =
  | "tensor"
  | "operator"
  | "static"
  | "initializer"
  | "optimizer"
  | "schedule"
  | "solver"
  | "data";

export interface BuiltinForm {
  readonly use: BuiltinUse;
  readonly parameters: readonly BuiltinParameter[];
  /** Takes any number of values of the first parameter; the others are given by name. */
  readonly variadic: boolean;
  /** Takes any further arguments by name, e.g. the sizes of `rearrange`. */
  readonly open: boolean;
}

export interface Builtin {
  readonly name: string;
  readonly forms: readonly BuiltinForm[];
}

/**
 * One line per form. `name = value`: optional with that default; `name?`: optional; `...name`: any number; `..`:
 * further named arguments.
 */
// biome-ignore format: one table
const signatures: Readonly<Record<BuiltinUse, readonly string[]>> = {
  tensor: [
    // elementwise
    "exp(x)", "log(x)", "sin(x)", "cos(x)", "tanh(x)", "erf(x)", "sqrt(x)", "rsqrt(x)", "abs(x)", "sign(x)", "floor(x)",
    "sigmoid(x)", "silu(x)", "relu(x)", "gelu(x)", "gelu_tanh(x)", "softplus(x)", "square(x)", "float(x)", "int(x)",
    "stop_gradient(x)", "maximum(a, b)", "minimum(a, b)", "clamp(x, low, high)", "where(condition, a, b)",
    // reductions
    "sum(x, axis?, keep = false)", "mean(x, axis?, keep = false)", "max(x, axis?, keep = false)", "min(x, axis?, keep = false)",
    "argmax(x, axis = -1)", "argsort(x, axis = -1, descending = false)", "top_k(x, k, axis = -1)", "softmax(x, axis = -1)", "log_softmax(x, axis = -1)", "logsumexp(x, axis = -1, keep = false)",
    // movement
    "reshape(x, shape)", "rearrange(x, pattern, ..)", "repeat(x, pattern, ..)", "transpose(x, permutation)", "broadcast(x, shape)",
    "concat(tensors, axis = 0)", "stack(tensors, axis = 0)", "split(x, sizes, axis = -1)", "pad(x, widths)",
    // products
    "einsum(a, b, pattern)", "einsum(a, pattern)", "attention(q, k, v, mask = null, scale?)",
    // creation
    "zeros(shape)", "ones(shape)", "full(shape, value)", "arange(n)", "tensor(values)", "one_hot(index, n)",
    "uniform(shape?, like?, key?)", "normal(shape?, like?, key?)",
    // derivatives and the batch
    "grad(value, of)", "gather_instances(x)", "instance_index()", "instance_count()",
  ],
  operator: ["merge(operator)"],
  initializer: [
    "zeros()", "ones()", "constant(value)", "normal(std)", "uniform(bound)", "kaiming()", "xavier()", "orthogonal(gain = 1)",
    "distinct(below)",
    "generated_weight(initializer, fan_in)", "generated_bias(initializer)",
  ],
  static: [
    "range(stop)", "range(start, stop, step = 1)", "zip(...lists)", "enumerate(list)", "len(list)", "sum(x)", "min(...x)",
    "max(...x)", "sqrt(x)", "exp(x)", "log(x)", "cos(x)", "sin(x)", "int(x)", "float(x)", "str(x)", "abs(x)", "floor(x)",
  ],
  optimizer: [
    "sgd(learning_rate, momentum = 0)",
    "adam(learning_rate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8)",
    "adamw(learning_rate, weight_decay = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8)",
  ],
  schedule: ["constant(warmup = 0)", "linear(warmup = 0, from = 0, final = 0)", "cosine(warmup = 0, final = 0)"],
  solver: ["euler(steps)"],
  data: ["mixture(..)"],
};

/** Names of values rather than functions. `none` is also the new axis of an index. */
export const builtinConstants: ReadonlySet<string> = new Set(["none", "pi"]);

export const builtins: ReadonlyMap<string, Builtin> = readTable();

/** The form of a built-in for one use, the first if it has several. */
export function builtinForm(name: string, use: BuiltinUse): BuiltinForm | undefined {
  return builtins.get(name)?.forms.find((form) => form.use === use);
}

function readTable(): ReadonlyMap<string, Builtin> {
  const table = new Map<string, { name: string; forms: BuiltinForm[] }>();
  for (const [use, lines] of Object.entries(signatures)) {
    for (const line of lines) {
      const [name, form] = readSignature(line, use as BuiltinUse);
      const entry = table.get(name) ?? { name, forms: [] };
      entry.forms.push(form);
      table.set(name, entry);
    }
  }
  return table;
}

function readSignature(line: string, use: BuiltinUse): [string, BuiltinForm] {
  const open = line.indexOf("(");
  const words = line
    .slice(open + 1, -1)
    .split(", ")
    .filter((word) => word !== "");
  const parameters = words
    .filter((word) => word !== "..")
    .map((word): BuiltinParameter => {
      const [name, value] = word.replace("...", "").split(" = ");
      if (value !== undefined) return { name: name!, required: false, default: JSON.parse(value) as BuiltinDefault };
      return name!.endsWith("?") ? { name: name!.slice(0, -1), required: false } : { name: name!, required: true };
    });
  const variadic = words.some((word) => word.startsWith("..."));
  return [line.slice(0, open), { use, parameters, variadic, open: words.includes("..") }];
}
