#!/usr/bin/env node
import { hideBin } from "yargs/helpers";
import { runCommandLine } from "./command-line.js";

// `weft graph .. | head`: who reads no further has what they wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
// A training run goes on when nobody watches its progress any more.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const code = await runCommandLine(hideBin(process.argv));
process.exitCode ||= code;
