import type { Host } from "../../dsl/host.js";
import { type MetricsLine, metricsPath, readMetrics } from "./curves.js";

/** Appends lines to a stage's metrics without holding up the steps. */
export interface MetricsLog {
  write(line: MetricsLine): void;
  /** Resolves when all lines written so far are in the file; rejects when they could not be. */
  flush(): Promise<void>;
}

/** Seconds for which lines are gathered before they are appended. */
const gathering = 1;

/**
 * Opens the metrics of a stage that continues after `step` steps: later lines are cut, since these steps run again.
 */
export async function openMetrics(host: Host, folder: string, step: number): Promise<MetricsLog> {
  const path = metricsPath(folder);
  if (await host.exists(path)) {
    const lines = (await readMetrics(host, folder)).filter((line) => line.step <= step);
    await host.writeBytes(path, new TextEncoder().encode(lines.map(format).join("")));
  }
  let waiting = "";
  let appended: Promise<void> = Promise.resolve();
  let last = host.now();
  const append = (): void => {
    const text = waiting;
    waiting = "";
    last = host.now();
    appended = appended.then(() => host.appendText(path, text));
    // Met by the next flush.
    appended.catch(() => undefined);
  };
  return {
    write(line) {
      waiting += format(line);
      if (host.now() - last >= gathering) append();
    },
    flush() {
      if (waiting !== "") append();
      return appended;
    },
  };
}

/** Nine digits tell all 32-bit floats apart. */
function format(line: MetricsLine): string {
  return `${JSON.stringify(line, (_, value) => (typeof value === "number" ? Number(value.toPrecision(9)) : value))}\n`;
}
