import { readFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import { format } from "../../../dsl/syntax/format.js";
import { SourcesError } from "../../api/load.js";
import { CommandError } from "../exit-codes.js";
import { nodeHost } from "../host.js";

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
    const changed: string[] = [];
    for (const file of files) {
      const text = file === "-" ? readFileSync(0, "utf8") : await host.readText(file);
      const result = format(text, file);
      if ("diagnostics" in result) throw new SourcesError(result.diagnostics, new Map([[file, text]]));
      if (file === "-" && !check) process.stdout.write(result.text);
      else if (result.text !== text) {
        changed.push(file);
        if (!check) await host.writeBytes(file, new TextEncoder().encode(result.text));
      }
    }
    if (check && changed.length > 0)
      throw new CommandError(
        `not formatted:\n${changed.map((file) => `  ${file}`).join("\n")}\nRun \`weft fmt\` on them.`,
      );
  },
};
