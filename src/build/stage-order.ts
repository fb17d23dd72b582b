/** What must be trained before what: the stage that another comes after, and those whose numbers its functions read. */
import type { EntryPoint, Model, Stage } from "./model.js";

type Plan = Pick<Model, "stages" | "collections" | "evaluations" | "parameters" | "entryPoint">;

export const stagesOf = ({ stages, collections }: Pick<Model, "stages" | "collections">): readonly Stage[] => [
  ...stages,
  ...collections,
];

/** Names of the stages that left the copies which an entry point reads (`net at first`). */
export function stagesRead({ parameters }: Pick<Model, "parameters">, { graph }: EntryPoint): string[] {
  const copies = new Map(parameters.flatMap(({ path, copy }) => (copy ? [[path, copy.stage] as const] : [])));
  const read = graph.nodes.map((node) =>
    node.primitive === "parameter" ? copies.get(node.attributes.path) : undefined,
  );
  return [...new Set(read)].filter((stage) => stage !== undefined);
}

/** Names of the stages whose results must be there before a stage begins. */
export function stagesBefore(model: Plan, stage: Stage): string[] {
  const after = stage.after === undefined ? [] : [stage.after];
  // Without copies nothing need be traced.
  if (!model.parameters.some(({ copy }) => copy !== undefined)) return after;
  const measured = stage.kind === "train" ? model.evaluations.filter((spec) => spec.after === stage.name) : [];
  const entries = [
    model.entryPoint(stage.kind === "train" ? stage.on : stage.mean, stage.batch),
    ...measured.map(({ on, batch }) => model.entryPoint(on, batch)),
  ];
  return [...new Set([...after, ...entries.flatMap((entry) => stagesRead(model, entry))])];
}

/** Some stages and all that they need, first things first; or a circle of names, the first of which is also the last. Unknown names are left out. */
export function stageOrder(
  model: Plan,
  names: readonly string[],
): { readonly order: readonly Stage[] } | { readonly circle: readonly string[] } {
  const stages = new Map(stagesOf(model).map((stage) => [stage.name, stage]));
  const order: Stage[] = [];
  const under: string[] = [];
  const visit = (name: string): readonly string[] | undefined => {
    const stage = stages.get(name);
    if (stage === undefined || order.includes(stage)) return undefined;
    if (under.includes(name)) return [...under.slice(under.indexOf(name)), name];
    under.push(name);
    for (const before of stagesBefore(model, stage)) {
      const circle = visit(before);
      if (circle) return circle;
    }
    under.pop();
    order.push(stage);
    return undefined;
  };
  for (const name of names) {
    const circle = visit(name);
    if (circle) return { circle };
  }
  return { order };
}
