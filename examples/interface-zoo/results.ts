/** The results as a table, a JSON file and a page. */
import { join } from "node:path";
import { type Curve, lineChart, smooth } from "../../runtime/report/charts.js";
import { htmlPage, htmlTable, textTable } from "../../runtime/report/page.js";
import { nodeHost, readCurves } from "../../src/index.js";
import type { Quality, ZooOptions, ZooResult } from "./experiment.js";
import { budget } from "./interfaces.js";

const host = nodeHost();

const count = (value: number): string => value.toLocaleString("en-US");

function tableOf({ copy, base, interfaces }: ZooResult): { header: string[]; rows: string[][] } {
  const quality = ({ psnr, error, ssim }: Quality): string[] => [
    psnr.toFixed(2),
    (1000 * error).toFixed(2),
    ssim.toFixed(3),
  ];
  return {
    header: [
      "interface",
      "PSNR dB",
      "MSE x1000",
      "SSIM",
      "generated per instance",
      "trained numbers",
      "ms per step",
      "with",
    ],
    rows: [
      ["copy of the input", ...quality(copy), "", "", "", ""],
      ["base, without an operator", ...quality(base), "", "", "", ""],
      ...interfaces.map((result) => [
        result.name,
        ...quality(result),
        count(result.generated),
        count(result.trained),
        result.millisecondsPerStep.toFixed(0),
        result.applied,
      ]),
    ],
  };
}

/** Prints the table; writes results.json and report.html into the run's folder. */
export async function writeResults(
  options: Pick<ZooOptions, "folder" | "pretrain" | "steps" | "seed" | "open">,
  result: ZooResult,
  print: (text: string) => void,
): Promise<void> {
  const { folder, pretrain, steps, seed, open } = options;
  const { header, rows } = tableOf(result);
  print(`\n${textTable(header, rows)}\n`);
  const curves: Curve[] = [];
  for (const { name, stage } of result.interfaces) {
    const { steps: measured } = await readCurves(host, stage);
    const points = measured.map(({ step, loss }) => [step, loss] as const);
    curves.push({ name, points: smooth(points, 50) });
  }
  // More than eight curves have no colours of their own.
  const charts = Array.from({ length: Math.ceil(curves.length / 8) }, (_, place) =>
    lineChart(curves.slice(8 * place, 8 * place + 8), {
      title: "Training loss",
      xLabel: "step",
      yLabel: "loss",
      logarithmic: true,
      width: 960,
    }),
  );
  const title = `${result.edits} held-out edits, ${steps} steps of each, at most ${count(budget)} generated numbers`;
  const page = htmlPage("One generator, many interfaces", [
    { title, html: htmlTable(header, rows) },
    { title: "Loss curves", html: charts.join("\n") },
  ]);
  const interfaces = result.interfaces.map(({ stage: _, ...kept }) => kept);
  const json = { device: open.device.name, seed, budget, pretrain, steps, ...result, interfaces };
  const write = async (name: string, text: string): Promise<void> => {
    await host.writeBytes(join(folder, name), new TextEncoder().encode(text));
    print(join(folder, name));
  };
  await write("results.json", `${JSON.stringify(json, undefined, 2)}\n`);
  await write("report.html", page);
}
