import { cpus, totalmem } from "node:os";
import type { CommandModule } from "yargs";
import { type DeviceReport, reportDevices } from "../../api/device-report.js";
import { exitCodes } from "../exit-codes.js";

interface Options {
  json: boolean;
}

export const doctorCommand: CommandModule<object, Options> = {
  command: "doctor",
  describe: "Show which devices this machine has, what they can do, and what the others lack",
  builder: (parser) => parser.option("json", { type: "boolean", default: false, describe: "Print one JSON object" }),
  async handler({ json }) {
    const devices = await reportDevices();
    const machine = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cores: cpus().length,
      processor: cpus()[0]?.model ?? "unknown",
      memoryGiB: totalmem() / 2 ** 30,
    };
    if (json) process.stdout.write(`${JSON.stringify({ machine, devices })}\n`);
    else {
      process.stdout.write(
        `node ${machine.node}, ${machine.platform}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB.toFixed(1)} GiB\n\n`,
      );
      for (const device of devices) process.stdout.write(shown(device));
      const best = devices.find((device) => device.default);
      process.stdout.write(
        `\nWithout --device: ${best?.device ?? "none, since only the reference interpreter is ready"}\n`,
      );
    }
    // The reference device runs everywhere, slowly; what a user wants to know is whether a fast one does.
    if (!devices.some((device) => device.default)) process.exitCode = exitCodes.failed;
  },
};

const indent = " ".repeat(20);

function shown(report: DeviceReport): string {
  const { device, ready, detail } = report;
  const lines = [detail, ...notes(report)];
  return `${ready ? "ready  " : "missing"}  ${device.padEnd(9)}  ${lines.join("\n").replaceAll("\n", `\n${indent}`)}\n`;
}

function notes({ device, ready, software, default: chosen, properties }: DeviceReport): string[] {
  if (!ready) return [];
  switch (device) {
    case "webgpu": {
      const { vendor, architecture, description, backend, features } = properties;
      const size = (name: string): string => sizeText(Number(properties[name]));
      const who = [vendor, architecture, description].filter((part) => part !== "").join(", ");
      const note = chosen
        ? "it computes on the CPU: chosen because there is no C compiler"
        : "it computes on the CPU: chosen only when asked for, or where there is no C compiler";
      return [
        `${who}${who === "" ? "" : ", "}through ${backend}`,
        `${properties.storageBuffersPerKernel} buffers per kernel, ${size("bytesPerBinding")} per binding, ${size("bytesPerBuffer")} per buffer, ${size("workgroupBytes")} of workgroup memory`,
        `features: ${(features as readonly string[]).join(", ") || "none that are used"}`,
        ...(software ? [note] : []),
      ];
    }
    case "cpu": {
      const { compiler, compilerVersion, threads, vectorWidth, cache } = properties;
      return [
        `compiled by ${compiler} (${compilerVersion}), ${threads} ${threads === 1 ? "thread" : "threads"}, vectors of ${vectorWidth} floats`,
        `compiled kernels are kept in ${cache}`,
      ];
    }
    case "reference":
      return ["it runs everywhere, slowly, and only when asked for"];
  }
}

function sizeText(bytes: number): string {
  const [unit, name] = bytes < 2 ** 20 ? [2 ** 10, "KiB"] : bytes < 2 ** 30 ? [2 ** 20, "MiB"] : [2 ** 30, "GiB"];
  return `${Number((bytes / unit).toFixed(1))} ${name}`;
}
