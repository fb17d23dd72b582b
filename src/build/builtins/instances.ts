/** What an instance sees of its batch. */
import type { GraphBuilder } from "../../graph/builder.js";
import type { ValueId } from "../../graph/node.js";
import { instanceWeightName } from "../../passes/weigh-instances.js";
import * as operations from "../../primitives/operations.js";
import { traceOf } from "../trace.js";
import type { Arguments, Builtin } from "./arguments.js";

/** Adds a value of all instances; what is traced from here on holds for one size of the batch only. */
function gathered(given: Arguments, build: (builder: GraphBuilder) => ValueId) {
  const trace = traceOf(given.context, given.span);
  trace.seesInstances = true;
  return given.emit([], (builder) => builder.add("gather_instances", [build(builder)], { size: trace.instances }));
}

/** bool []: false for an instance that only fills its batch up. */
function isData(builder: GraphBuilder): ValueId {
  const attributes = { name: instanceWeightName, dtype: "f32", shape: [], perInstance: true } as const;
  return operations.less(builder, operations.constant(builder, 0), builder.add("input", [], attributes));
}

export const instanceBuiltins: Readonly<Record<string, Builtin>> = {
  instance_index: {
    parameters: [],
    run: (given) => given.emit([], (builder) => builder.add("instance_index", [], {})),
  },
  instance_count: {
    parameters: [],
    run: (given) => {
      const seen = gathered(given, (builder) => operations.cast(builder, isData(builder), "i32"));
      return given.emit([seen], (builder) => operations.reduceSum(builder, seen.id, [0]));
    },
  },
  gather_instances: {
    parameters: ["x"],
    run: (given) => {
      const x = given.tensor("x");
      const all = gathered(given, () => x.id);
      return { ...all, members: new Map([["mask", gathered(given, isData)]]) };
    },
  },
};
