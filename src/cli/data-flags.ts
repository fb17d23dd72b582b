import type { Argv } from "yargs";
import type { Host } from "../../dsl/host.js";
import type { DataSource } from "../../runtime/training/data.js";
import { dataModuleBeside, loadDataModule, safetensorsSource } from "../api/data.js";
import { CommandError } from "./exit-codes.js";
import { parsePairs } from "./settings.js";

export interface DataFlags {
  data: string | undefined;
  "data-module": string | undefined;
  table: string[];
}

export function withDataFlags<T>(parser: Argv<T>): Argv<T & DataFlags> {
  return parser
    .option("data", {
      type: "string",
      requiresArg: true,
      describe: "Folder handed to the data binding, e.g. one of pictures",
    })
    .option("data-module", {
      type: "string",
      requiresArg: true,
      describe: "Data binding: a module that exports `sources`; FILE.data.js beside the .weft file unless given",
    })
    .option("table", {
      type: "string",
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: "NAME=FILE.safetensors: a data source whose columns are the file's tensors",
    });
}

/** The data sources that the flags name. */
export async function dataSources(file: string, flags: DataFlags, host: Host): Promise<readonly DataSource[]> {
  const tables = await Promise.all(
    parsePairs("--table", flags.table).map(([name, path]) => safetensorsSource(name, path, host)),
  );
  const module = flags["data-module"] ?? (await dataModuleBeside(file));
  if (module === undefined) {
    if (tables.length === 0)
      throw new CommandError(
        `there is no data: no ${file.replace(/\.weft$/, "")}.data.js beside the file, no --data-module and no --table`,
      );
    return tables;
  }
  const warn = (message: string): void => void process.stderr.write(`weft: ${message}\n`);
  return [
    ...(await loadDataModule(module, { ...(flags.data === undefined ? {} : { folder: flags.data }), warn })),
    ...tables,
  ];
}
