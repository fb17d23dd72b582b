/** Names kernels after what was fused into them. */
import type { Origin, ValueId } from "../../graph/node.js";
import type { Cluster } from "./cluster.js";
import type { Expression } from "./expression.js";
import type { Facts } from "./facts.js";

const mostOrigins = 8;
const mostNames = 8;

interface Description {
  readonly origins: readonly Origin[];
  readonly label: string;
}

/** Label and origins of a kernel: its root first, then what was computed around it, in order. */
export function describe(facts: Facts, cluster: Cluster, expressions: readonly Expression[]): Description {
  const values = new Set<ValueId>();
  for (const expression of expressions) for (const value of expression.lowered) values.add(value);
  const { root } = cluster;
  const roots =
    root.kind === "reduction"
      ? [...root.folds.keys()].filter((value) => values.has(value))
      : root.kind === "contraction"
        ? root.products.map(({ node }) => node.outputs[0]!)
        : root.kind === "elementwise"
          ? []
          : [...root.node.outputs];
  const rest = [...values]
    .filter((value) => !roots.includes(value))
    .sort((a, b) => facts.places[a]! - facts.places[b]!);
  const ordered = [...roots, ...rest];
  const names: string[] = [];
  const origins: Origin[] = [];
  const known = new Set<string>();
  for (const value of ordered) {
    const { primitive, origin } = facts.producers[value]!;
    const counts = facts.roles[value] !== "view" && facts.roles[value] !== "generated";
    if (counts && !names.includes(primitive)) names.push(primitive);
    const key = origin && `${origin.path}|${origin.span?.start ?? ""}`;
    if (key !== undefined && !known.has(key) && origins.length < mostOrigins) {
      known.add(key);
      origins.push(origin!);
    }
  }
  const shown = names.slice(0, mostNames);
  if (names.length > mostNames) shown.push("...");
  return { origins, label: shown.join("+") || "copy" };
}
