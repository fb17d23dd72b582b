/** Copies of stored tensors as stages left them (`net at first`): which there are is known when all entry points have been traced. */
import { type Diagnostic, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import type { Context } from "./context.js";
import type { EntryPoint, Model, ParameterSpec } from "./model.js";
import { stageOrder, stagesOf } from "./stage-order.js";

/** The copies that entry points read, as stored tensors. Nothing is traced where no text says `at`. */
export function copySpecs(
  context: Context,
  entryPoints: readonly string[],
  entryPoint: (name: string) => EntryPoint,
): ParameterSpec[] {
  if (![...context.program.files.values()].some(saysAt)) return [];
  for (const name of entryPoints) {
    try {
      entryPoint(name);
    } catch (error) {
      // Said again to whoever asks for the entry point.
      if (!(error instanceof WeftError)) throw error;
    }
  }
  return [...context.copies].map(([path, { definition, stage }]): ParameterSpec => {
    const { dtype, shape, initializer, declaration } = definition;
    const copy = { stage: stage.text, of: definition.path };
    return { path, dtype, shape, initializer, storage: "frozen", copy, span: declaration.span };
  });
}

/** Whether a part of a tree is `module at stage`, or holds one. */
function saysAt(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  if ("kind" in part && part.kind === "at" && "stage" in part) return true;
  return Object.values(part).some(saysAt);
}

/** Copies of stages that there are not, and stages that need one another's numbers. */
export function copyErrors({ copies }: Context, model: Model): Diagnostic[] {
  const known = stagesOf(model).map(({ name }) => name);
  const found = [...copies.values()]
    .filter(({ stage }) => !known.includes(stage.text))
    .map(({ stage }) => diagnose(messages.unknownCopyStage, stage.span, { name: stage.text, known }));
  const circles = new Set<string>();
  for (const { name, span } of copies.size === 0 ? [] : stagesOf(model)) {
    const circle = circleOf(model, name);
    const key = [...new Set(circle)].sort().join(" ");
    if (!circle || circles.has(key)) continue;
    circles.add(key);
    found.push(diagnose(messages.stageCircle, span, { circle }));
  }
  return found;
}

function circleOf(model: Model, name: string): readonly string[] | undefined {
  try {
    const found = stageOrder(model, [name]);
    return "circle" in found ? found.circle : undefined;
  } catch (error) {
    // Of an entry point that cannot be traced, which is said elsewhere.
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}
