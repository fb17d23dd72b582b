/** The main job: `npm start`, or with `--full` all variants over three seeds. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { deviceKinds, openDevice, showProgress } from "../../src/index.js";
import { budgets } from "./budgets.js";
import { runObjective } from "./experiment.js";
import { loadPictures } from "./pictures.js";
import { writeResults } from "./results.js";

const options = await yargs(hideBin(process.argv))
  .usage("Trains every variant of the conflict-edit example and compares them.")
  .option("full", {
    type: "boolean",
    default: false,
    describe: "The full budget: three seeds, both objectives, learning-rate sweeps (up to 75 minutes on two cores)",
  })
  .option("data", { type: "string", describe: "A folder of PNG, JPEG or WebP pictures instead of Twemoji" })
  .option("run", { type: "string", describe: "Folder for results (default runs/conflict-edit); a stopped run goes on" })
  .option("device", { choices: deviceKinds, describe: "Where it runs (default: a GPU if there is one, else the CPU)" })
  .option("threads", { type: "number", describe: "Threads of the CPU device" })
  .strict()
  .help()
  .parseAsync();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const budget = budgets[options.full ? "full" : "short"];
const folder = options.run ?? join("runs", "conflict-edit");
// The stages of a short run are not those of a full one.
const stages = join(folder, budget.name);
const open = await openDevice(options.device, options.threads === undefined ? {} : { threads: options.threads });
const abort = new AbortController();
process.once("SIGINT", () => abort.abort());
const progress = showProgress();
try {
  say(`device: ${open.device.name}`);
  if (!options.full)
    say("Short budget: one seed, direct regression only, few steps. The full comparison: npm start -- --full");
  const pictures = await loadPictures(options.data, say);
  say(
    `${pictures.names.length} pictures: ${pictures.splits.train.length} for training, ${pictures.splits.test.length} held out`,
  );
  const results = [];
  for (const objective of budget.objectives) {
    results.push(
      await runObjective(
        {
          file: fileURLToPath(new URL("conflict-edit.weft", import.meta.url)),
          folder: stages,
          budget,
          pictures,
          open,
          settings: {},
          report: progress.report,
          log: say,
          signal: abort.signal,
        },
        objective,
      ),
    );
  }
  progress.close();
  await writeResults(folder, stages, budget, results, (line) => process.stdout.write(`${line}\n`));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  progress.close();
  await open.device.close();
}
