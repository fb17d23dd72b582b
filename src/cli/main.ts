#!/usr/bin/env node
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { render } from "../../dsl/diagnostics/render.js";
import { SourcesError } from "../api/load.js";
import { checkCommand } from "./commands/check.js";
import { doctorCommand } from "./commands/doctor.js";
import { evalCommand } from "./commands/eval.js";
import { fmtCommand } from "./commands/fmt.js";
import { graphCommand } from "./commands/graph.js";
import { runCommand } from "./commands/run.js";
import { sampleCommand } from "./commands/sample.js";
import { trainCommand } from "./commands/train.js";
import { CommandError, exitCodes } from "./exit-codes.js";
import { packageVersion } from "./version.js";

await yargs(hideBin(process.argv))
  .scriptName("weft")
  .usage(
    "$0 COMMAND\n\nA language and compiler for models whose weights are written, for each instance, by another network.",
  )
  .command(checkCommand)
  .command(fmtCommand)
  .command(runCommand)
  .command(trainCommand)
  .command(evalCommand)
  .command(sampleCommand)
  .command(graphCommand)
  .command(doctorCommand)
  .demandCommand(1, "Name a command.")
  .recommendCommands()
  .strict()
  .version(packageVersion())
  .help()
  .wrap(Math.min(120, process.stdout.columns ?? 100))
  .fail((message, error, parser) => {
    if (error) throw error;
    process.stderr.write(
      `weft: ${message}\n\nRun \`${parser.parsed ? "weft --help" : "weft"}\` for the commands and their options.\n`,
    );
    process.exit(exitCodes.usage);
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = report(error);
  });

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
