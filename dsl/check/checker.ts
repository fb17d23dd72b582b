import type { Diagnostic } from "../diagnostics/diagnostic.js";
import type { Name } from "../syntax/tree.js";
import type { Resolve } from "./members.js";

/** What every check needs: where to report, what files declare, and the training stages of the model being checked. */
export interface Checker {
  readonly report: (diagnostic: Diagnostic) => void;
  readonly resolve: Resolve;
  /** Names of the stages an `at` may name; undefined outside of models, where they are not known. */
  readonly stages: ReadonlySet<string> | undefined;
  /** While members are checked in order: fields that are made further down. */
  readonly later?: ReadonlyMap<string, Name>;
  /** In the types of a signature, where names may stand for sizes. */
  readonly inAxes?: boolean;
}
