/** `npm run zoo`: trains a generator for each interface, all alike, and compares them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { deviceKinds, openDevice, showProgress } from "../../src/index.js";
import { loadPictures } from "../conflict-edit/pictures.js";
import { runZoo } from "./experiment.js";
import { comparedInterfaces } from "./interfaces.js";
import { writeResults } from "./results.js";

const names = comparedInterfaces.map(({ name }) => name);
const args = await yargs(hideBin(process.argv))
  .usage("Trains one generator for each interface of conflict-edit's model, all alike, and compares what they reach.")
  .option("interfaces", {
    type: "string",
    requiresArg: true,
    default: names.join(","),
    describe: "Which ones, separated by commas",
  })
  .option("steps", { type: "number", requiresArg: true, default: 500, describe: "Training steps of each" })
  .option("seed", { type: "number", requiresArg: true, default: 1, describe: "Everything drawn follows from it" })
  .option("data", { type: "string", describe: "A folder of PNG, JPEG or WebP pictures instead of Twemoji" })
  .option("run", { type: "string", describe: "Folder for results (default runs/interface-zoo); a stopped run goes on" })
  .option("device", { choices: deviceKinds, describe: "Where it runs (default: a GPU if there is one, else the CPU)" })
  .option("threads", { type: "number", describe: "Threads of the CPU device" })
  .check(({ steps }) => (Number.isSafeInteger(steps) && steps > 0) || "--steps expects a whole number from 1")
  .check(({ seed }) => (Number.isSafeInteger(seed) && seed >= 0) || "--seed expects a whole number")
  .check(({ interfaces }) => {
    const unknown = interfaces.split(",").find((name) => !names.includes(name));
    return unknown === undefined || `there is no interface "${unknown}" here; there are ${names.join(", ")}`;
  })
  .strict()
  .showHelpOnFail(false)
  .help()
  .parseAsync();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const wanted = args.interfaces.split(",");
const open = await openDevice(args.device, args.threads === undefined ? {} : { threads: args.threads });
const abort = new AbortController();
process.once("SIGINT", () => abort.abort());
const progress = showProgress();
try {
  say(`device: ${open.device.name}`);
  const options = {
    file: fileURLToPath(new URL("interface-zoo.weft", import.meta.url)),
    folder: args.run ?? join("runs", "interface-zoo"),
    interfaces: comparedInterfaces.filter(({ name }) => wanted.includes(name)),
    pretrain: 1000,
    steps: args.steps,
    heldOut: 40,
    seed: args.seed,
    pictures: await loadPictures(args.data, say),
    open,
    settings: {},
    report: progress.report,
    log: say,
    signal: abort.signal,
  };
  const result = await runZoo(options);
  progress.close();
  await writeResults(options, result, (line) => process.stdout.write(`${line}\n`));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  progress.close();
  await open.device.close();
}
