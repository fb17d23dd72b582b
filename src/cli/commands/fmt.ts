import { readFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import type { Diagnostic } from "../../../dsl/diagnostics/diagnostic.js";
import { format } from "../../../dsl/syntax/format.js";
import { SourcesError } from "../../api/load.js";
import { CommandError } from "../exit-codes.js";
import { nodeHost } from "../host.js";

/** What a lone dash stands for, as messages call it. */
export const standardInput = "<stdin>";

interface Options {
  files: string[];
  check: boolean;
}

export const fmtCommand: CommandModule<object, Options> = {
  command: "fmt <files..>",
  describe: "Format .weft files in place",
  builder: (parser) =>
    parser
      .positional("files", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "Files to format; - reads stdin and writes stdout",
      })
      .option("check", {
        type: "boolean",
        default: false,
        describe: "Change nothing; fail and list the files that are not formatted",
      }),
  async handler({ files, check }) {
    const host = nodeHost();
    const unformatted: string[] = [];
    const wrong: Diagnostic[] = [];
    const sources = new Map<string, string>();
    for (const file of files) {
      const text = file === standardInput ? readFileSync(0, "utf8") : await host.readText(file);
      const result = format(text, file);
      if ("diagnostics" in result) {
        wrong.push(...result.diagnostics);
        sources.set(file, text);
      } else if (check) {
        if (result.text !== text) unformatted.push(file);
      } else if (file === standardInput) process.stdout.write(result.text);
      else if (result.text !== text) await host.writeBytes(file, new TextEncoder().encode(result.text));
    }
    if (wrong.length > 0) throw new SourcesError(wrong, sources);
    if (unformatted.length > 0)
      throw new CommandError(
        `not formatted:\n${unformatted.map((file) => `  ${file}`).join("\n")}\nRun \`weft fmt\` on them.`,
      );
  },
};
