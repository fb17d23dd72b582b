/** Kernel lists as text, for `weft graph --after fused` and golden tests. */
import type { Access, BufferHome, KernelList, KernelRecord, Store } from "./record.js";
import type { ScalarInstruction, ScalarProgram } from "./scalar.js";

const list = (numbers: readonly number[]) => `[${numbers.join(", ")}]`;

function homeText(home: BufferHome): string {
  switch (home.segment) {
    case "parameters":
    case "gradients":
      return `${home.segment} ${home.path}`;
    case "range":
      return `${home.of} from ${home.offset}`;
    case "inputs":
    case "outputs":
    case "scalars":
      return `${home.segment} ${home.name}`;
    case "constants":
      return "constants";
    case "prepared":
    case "scratch":
      return home.segment;
  }
}

/** offset + strides as `12 + 64 a + b`, coordinates named in order. */
function affineText(offset: number, strides: readonly number[]): string {
  const terms = strides.flatMap((stride, place) =>
    stride === 0 ? [] : [stride === 1 ? coordinate(place) : `${stride} ${coordinate(place)}`],
  );
  return (offset === 0 && terms.length > 0 ? terms : [`${offset}`, ...terms]).join(" + ");
}

const coordinate = (place: number) =>
  String.fromCharCode(97 + (place % 26)) + (place >= 26 ? Math.floor(place / 26) : "");

function accessText({ buffer, offset, strides, bounds }: Access, extra = ""): string {
  const where = (bounds ?? []).map((bound) => `0 <= ${affineText(bound.offset, bound.strides)} < ${bound.size}`);
  return `#${buffer}[${affineText(offset, strides)}${extra}]${where.length > 0 ? ` where ${where.join(", ")}` : ""}`;
}

function instructionText(instruction: ScalarInstruction, accesses: readonly Access[]): string {
  switch (instruction.kind) {
    case "load":
      return accessText(accesses[instruction.access]!);
    case "load_indexed": {
      const { index, limit, stride } = instruction;
      return accessText(accesses[instruction.access]!, ` + ${stride} clamp(%${index}, 0, ${limit - 1})`);
    }
    case "constant":
      return `${instruction.value}`;
    case "index":
      return affineText(instruction.offset, instruction.strides);
    case "accumulator":
      return "accumulator";
    case "reduce":
      return `reduce ${instruction.reduction} %${instruction.operand}`;
    case "unary":
      return `${instruction.operation} %${instruction.operand}`;
    case "binary":
      return `${instruction.operation} %${instruction.left}, %${instruction.right}`;
    case "select":
      return `select %${instruction.condition}, %${instruction.then}, %${instruction.otherwise}`;
    case "cast":
      return `cast %${instruction.operand}`;
    case "random": {
      const { distribution, key, seed, step, row, element } = instruction;
      return `${distribution} key ${key}, seed %${seed}, step %${step}, row %${row}, element %${element}`;
    }
  }
}

const programText = (body: ScalarProgram, accesses: readonly Access[], indent: string): string[] =>
  body.map(
    (instruction, place) => `${indent}%${place}: ${instruction.dtype} = ${instructionText(instruction, accesses)}`,
  );

const storesText = (stores: readonly Store[]): string[] =>
  stores.map(({ access, value }) => `  ${accessText(access)} = %${value}`);

function bodyText(record: KernelRecord): string[] {
  switch (record.archetype) {
    case "elementwise":
      return [
        `  over ${list(record.extents)}`,
        ...programText(record.body, record.accesses, "  "),
        ...storesText(record.stores),
      ];
    case "reduction": {
      const rows = record.extents.length - record.reduced;
      return [
        `  over ${list(record.extents.slice(0, rows))}, reduced ${list(record.extents.slice(rows))}`,
        ...programText(record.body, record.accesses, "  "),
        ...storesText(record.stores),
      ];
    }
    case "contraction":
      return [
        `  over batch ${list(record.batch)}, rows ${list(record.rows)}, columns ${list(record.columns)}`,
        ...record.products.flatMap(({ reduced, lhs, rhs }) => [
          `  product reduced ${list(reduced)}`,
          "    lhs",
          ...programText(lhs.body, lhs.accesses, "      "),
          "    rhs",
          ...programText(rhs.body, rhs.accesses, "      "),
        ]),
        ...programText(record.epilogue, record.accesses, "  "),
        ...storesText(record.stores),
      ];
    case "attention":
    case "attention_backward": {
      const { batch, heads, group, queries, keys, width, valueWidth, scale } = record;
      const views: [string, Access | undefined][] = [
        ["q", record.q],
        ["k", record.k],
        ["v", record.v],
        ["mask", record.mask],
        ["output", record.output],
        ["logSum", record.logSum],
      ];
      if (record.archetype === "attention_backward") {
        views.push(["cotangent", record.cotangent], ["dq", record.dq], ["dk", record.dk], ["dv", record.dv]);
      }
      return [
        `  batch ${list(batch)}, heads ${heads}, group ${group}, queries ${queries}, keys ${keys}, width ${width}, valueWidth ${valueWidth}, scale ${scale}`,
        ...views.flatMap(([name, access]) => (access ? [`  ${name} ${accessText(access)}`] : [])),
      ];
    }
    case "scatter_add":
      return [
        `  batch ${list(record.batch)}, updates ${list(record.updates)}, size ${record.size}, rest ${list(record.rest)}`,
        `  indices ${accessText(record.indices)}`,
        `  source ${accessText(record.source)}`,
        `  target ${accessText(record.target)}`,
      ];
    case "sort":
      return [
        `  batch ${list(record.batch)}, length ${record.length}`,
        `  keys ${accessText(record.keys)}`,
        `  order ${accessText(record.order)}`,
      ];
    case "grouped_contraction":
    case "grouped_sum":
      return [
        `  over rows ${list(record.rows)} in groups ${list(record.groups)}, batch ${list(record.batch)}, lines ${list(record.lines)}, columns ${list(record.columns)}, reduced ${list(record.reduced)}`,
        `  order ${accessText(record.order)}`,
        `  offsets ${accessText(record.offsets)}`,
        `  lhs ${accessText(record.lhs)}`,
        `  rhs ${accessText(record.rhs)}`,
        `  output ${accessText(record.output)}`,
      ];
  }
}

/** One record, as several lines. */
export function printKernel(record: KernelRecord): string {
  return [`${record.archetype} ${record.label}`, ...bodyText(record)].join("\n");
}

/** All buffers, kernels and refusals. */
export function printKernels({ buffers, kernels, refusals }: KernelList): string {
  const lines = buffers.map(
    ({ dtype, elements, home }, id) => `buffer #${id}: ${dtype}[${elements}] ${homeText(home)}`,
  );
  kernels.forEach((record, place) => {
    lines.push("", `kernel ${place}: ${printKernel(record)}`);
  });
  if (refusals.length > 0) lines.push("");
  for (const { kernel, node, reason } of refusals) lines.push(`not in kernel ${kernel}: ${node}, because ${reason}`);
  return `${lines.join("\n")}\n`;
}
