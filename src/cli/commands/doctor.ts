import { cpus, totalmem } from "node:os";
import type { CommandModule } from "yargs";
import { deviceKinds, openDevice } from "../../api/devices.js";
import { exitCodes } from "../exit-codes.js";

interface Options {
  json: boolean;
}

interface Finding {
  readonly device: string;
  readonly ready: boolean;
  readonly detail: string;
}

export const doctorCommand: CommandModule<object, Options> = {
  command: "doctor",
  describe: "Show which devices this machine has, and what the others lack",
  builder: (parser) => parser.option("json", { type: "boolean", default: false, describe: "Print one JSON object" }),
  async handler({ json }) {
    const findings: Finding[] = [];
    for (const kind of deviceKinds) {
      try {
        const { device } = await openDevice(kind);
        findings.push({ device: kind, ready: true, detail: device.name });
        await device.close();
      } catch (error) {
        findings.push({ device: kind, ready: false, detail: (error as Error).message });
      }
    }
    const machine = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cores: cpus().length,
      processor: cpus()[0]?.model ?? "unknown",
      memoryGiB: totalmem() / 2 ** 30,
    };
    if (json) process.stdout.write(`${JSON.stringify({ machine, devices: findings })}\n`);
    else {
      process.stdout.write(
        `node ${machine.node}, ${machine.platform}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB.toFixed(1)} GiB\n\n`,
      );
      for (const { device, ready, detail } of findings)
        process.stdout.write(
          `${ready ? "ready  " : "missing"}  ${device.padEnd(9)}  ${detail.replaceAll("\n", "\n                    ")}\n`,
        );
    }
    // The reference device runs everywhere, slowly; what a user wants to know is whether a fast one does.
    if (findings.every(({ device, ready }) => device === "reference" || !ready)) process.exitCode = exitCodes.failed;
  },
};
