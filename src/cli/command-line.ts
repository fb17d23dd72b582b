import yargs, { type CommandModule } from "yargs";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { render } from "../../dsl/diagnostics/render.js";
import { SourcesError } from "../api/load.js";
import { checkCommand } from "./commands/check.js";
import { doctorCommand } from "./commands/doctor.js";
import { evalCommand } from "./commands/eval.js";
import { exportCommand } from "./commands/export.js";
import { fmtCommand, standardInput } from "./commands/fmt.js";
import { graphCommand } from "./commands/graph.js";
import { importCommand } from "./commands/import.js";
import { interfacesCommand } from "./commands/interfaces.js";
import { mergeCommand } from "./commands/merge.js";
import { runCommand } from "./commands/run.js";
import { sampleCommand } from "./commands/sample.js";
import { trainCommand } from "./commands/train.js";
import { CommandError, exitCodes } from "./exit-codes.js";
import { packageVersion } from "./version.js";

const commands = [
  checkCommand,
  fmtCommand,
  runCommand,
  trainCommand,
  evalCommand,
  sampleCommand,
  mergeCommand,
  exportCommand,
  importCommand,
  graphCommand,
  interfacesCommand,
  doctorCommand,
] as readonly unknown[] as readonly CommandModule[];

/**
 * Runs one command: results go to stdout, messages to stderr. Returns the exit code, unless the command itself has put one into
 * `process.exitCode`.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    // yargs loses a lone dash on its way to a command.
    await yargs(args.map((argument) => (argument === "-" ? standardInput : argument)))
      .scriptName("weft")
      .usage(
        "$0 COMMAND\n\nA language and compiler for models whose weights are written, for each instance, by another network.",
      )
      .command([...commands])
      .demandCommand(1, "Name a command.")
      .recommendCommands()
      .strict()
      // `--set dim=8 tiny.weft`: the file is no second setting.
      .parserConfiguration({ "greedy-arrays": false })
      .version(packageVersion())
      .help()
      .locale("en")
      .wrap(Math.min(120, process.stdout.columns ?? 100))
      .exitProcess(false)
      .check(noneTwice)
      .fail((message, error) => {
        // Errors of yargs itself are about the command line, all others come from the command.
        throw error && error.name !== "YError" ? error : new CommandError(usageMessage(message, args), exitCodes.usage);
      })
      .parseAsync();
    return exitCodes.ok;
  } catch (error) {
    return report(error);
  }
}

/** Options that may be given several times. */
const repeatable = new Set(["_", "set", "table", "grad", "rename", "files"]);

function noneTwice(values: Readonly<Record<string, unknown>>): true {
  const twice = Object.keys(values).find((name) => Array.isArray(values[name]) && !repeatable.has(name));
  if (twice !== undefined) throw new CommandError(`--${twice} is given twice`, exitCodes.usage);
  return true;
}

function usageMessage(message: string, args: readonly string[]): string {
  const first = args.find((argument) => !argument.startsWith("-"));
  const command = commands.map((module) => String(module.command)).find((usage) => usage.split(" ")[0] === first);
  if (command !== undefined) {
    const text = message.startsWith("Not enough non-option") ? `it takes more arguments: weft ${command}` : message;
    return `${text}\n\nRun \`weft ${first} --help\` for its arguments and options.`;
  }
  // What is no command is reported by yargs as an argument that nobody takes.
  const unknown = first !== undefined && message.startsWith("Unknown argument");
  return `${unknown ? `Unknown command: ${first}` : message}\n\nRun \`weft --help\` for the commands.`;
}

/** Prints an error as a user wants to read it; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof WeftError) {
    const sources = error instanceof SourcesError ? error.sources : new Map<string, string>();
    process.stderr.write(
      render(error.diagnostics, sources, { color: process.stderr.isTTY === true && !process.env.NO_COLOR }),
    );
    return exitCodes.failed;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`weft: ${message}\n`);
  if (process.env.WEFT_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof CommandError ? error.exitCode : exitCodes.failed;
}
