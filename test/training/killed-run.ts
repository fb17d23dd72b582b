/** A training run in a process of its own, to be killed: trains the small model in the folder it is given. */

import { train } from "../../runtime/training/train.js";
import { nodeHost } from "../../src/cli/host.js";
import { baseStage, fakePrograms, linearModel, points } from "./linear-model.js";

export const killedModel = linearModel({
  stages: [
    { ...baseStage, ema: 0.9, accumulate: 2, steps: 60 },
    { ...baseStage, name: "shift", update: ["shift"], after: "base", steps: 60 },
  ],
});

export async function run(folder: string, delay: number): Promise<Uint8Array[]> {
  const host = nodeHost();
  await train({
    model: killedModel,
    stage: "shift",
    seed: 11,
    folder,
    host,
    programs: fakePrograms(killedModel, { delay }),
    data: [points()],
    checkpoint: { steps: 3 },
  });
  return Promise.all(["base", "shift"].map((stage) => host.readBytes(`${folder}/${stage}/final.safetensors`)));
}

const folder = process.env.WEFT_KILLED_RUN;
if (folder !== undefined) {
  process.stdout.write("training\n");
  await run(folder, 3);
  process.stdout.write("done\n");
}
