/** The results of a run as a table, a JSON file and a page. */
import { join } from "node:path";
import { lineChart, smooth } from "../../runtime/report/charts.js";
import { contactSheet } from "../../runtime/report/contact-sheet.js";
import { htmlPage, htmlTable, textTable } from "../../runtime/report/page.js";
import { nodeHost, readCurves, readSafetensors } from "../../src/index.js";
import type { Budget } from "./budgets.js";
import { type ObjectiveResult, sheetRows, variantFolder } from "./experiment.js";
import { conflictTasks } from "./instructions.js";
import { pictureAt, type WinRate } from "./metrics.js";
import { pictureSize } from "./pictures.js";
import { summarise, type VariantResult } from "./scores.js";
import type { Row } from "./sources.js";
import { tableOrder, trainedVariants, type VariantName } from "./variants.js";

const host = nodeHost();

const objectiveTitles = { flow: "Flow matching, Euler sampler", direct: "Direct regression" } as const;

type Table = Partial<Record<VariantName, VariantResult>>;

const decibels = ({ mean, sd }: { mean: number; sd: number }, seeds: number): string =>
  `${mean.toFixed(2)}${seeds > 1 ? ` ± ${sd.toFixed(2)}` : ""}`;
const percent = (rate: WinRate | undefined): string =>
  rate ? `${(100 * rate.mean).toFixed(1)} [${(100 * rate.low).toFixed(1)}, ${(100 * rate.high).toFixed(1)}]` : "";

function rowsOf(table: Table, seeds: number): { header: string[]; rows: string[][] } {
  const header = ["Variant", "MSE x1000", "PSNR dB", "SSIM", "wins vs base %", "vs shared %", "vs fine-tuning %"];
  const rows = tableOrder.flatMap(({ name, title }) => {
    const result = table[name];
    if (!result) return [];
    const { error, psnr, ssim, winRate, winRateAgainst } = result;
    return [
      [
        title,
        (1000 * error.mean).toFixed(2),
        decibels(psnr, seeds),
        ssim.mean.toFixed(4),
        name === "base" ? "" : percent(winRate),
        percent(winRateAgainst.shared),
        percent(winRateAgainst.sft),
      ],
    ];
  });
  return { header, rows };
}

function pairRows(table: Table): { header: string[]; rows: string[][] } {
  const named = tableOrder.filter(({ name }) => table[name]);
  const pairNames = Object.keys(table[named[0]!.name]!.pairs);
  return {
    header: ["PSNR dB", ...pairNames],
    rows: named.map(({ name, title }) => [
      title,
      ...pairNames.map((pair) => table[name]!.pairs[pair]!.mean.toFixed(2)),
    ]),
  };
}

/** Prints the tables; writes results.json, contact-sheet-*.svg and report.html into `folder`. `stages` is where the run's stages stand. */
export async function writeResults(
  folder: string,
  stages: string,
  budget: Budget,
  results: readonly ObjectiveResult[],
  print: (text: string) => void,
): Promise<void> {
  const rows = results[0]!.rows;
  const tables = results.map((result) => ({ result, table: summarise(result.seeds, rows) }));
  const sections: { title: string; html: string }[] = [];
  for (const { result, table } of tables) {
    const title = `${objectiveTitles[result.objective]}: ${budget.seeds.length} ${budget.seeds.length === 1 ? "seed" : "seeds"}, ${rows.length} held-out edits`;
    const main = rowsOf(table, budget.seeds.length);
    const byPair = pairRows(table);
    print(`\n${title}\n\n${textTable(main.header, main.rows)}\n\n${textTable(byPair.header, byPair.rows)}\n`);
    const sheet = await sheetOf(join(stages, result.objective, `seed-${budget.seeds[0]}`), rows);
    await host.writeBytes(join(folder, `contact-sheet-${result.objective}.svg`), new TextEncoder().encode(sheet));
    sections.push({
      title,
      html: [
        htmlTable(main.header, main.rows),
        "<h3>By pair of tasks</h3>",
        htmlTable(byPair.header, byPair.rows),
        sweepTable(result),
        await curvesOf(stages, budget, result),
        sheet,
      ].join("\n"),
    });
  }
  const { flow, direct } = Object.fromEntries(
    tables.map(({ result, table }) => [result.objective, { table, result }]),
  ) as Partial<Record<"flow" | "direct", { table: Table; result: ObjectiveResult }>>;
  const main = flow ?? direct!;
  const json = {
    seeds: budget.seeds.length,
    budget,
    objective: main.result.objective,
    heldOutRows: rows.length,
    variants: main.table,
    sweep: main.result.sweep,
    trained: main.result.trained,
    ...(flow && direct ? { direct: { variants: direct.table, sweep: direct.result.sweep } } : {}),
  };
  await host.writeBytes(
    join(folder, "results.json"),
    new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`),
  );
  await host.writeBytes(
    join(folder, "report.html"),
    new TextEncoder().encode(htmlPage("Conflicting edits: static and generated operators", sections)),
  );
  print(`${join(folder, "results.json")}\n${join(folder, "report.html")}`);
}

function sweepTable({ sweep, trained }: ObjectiveResult): string {
  const rows = trainedVariants.map(({ name, title, learningRates }) => [
    title,
    (trained[name] ?? 0).toLocaleString("en"),
    String(sweep[name]!.chosen),
    learningRates
      .map((rate) =>
        sweep[name]!.errors[rate] === undefined
          ? String(rate)
          : `${rate}: ${(1000 * sweep[name]!.errors[rate]!).toFixed(2)}`,
      )
      .join("   "),
  ]);
  return `<h3>Trained numbers and learning rates</h3>${htmlTable(["Variant", "trained numbers", "learning rate", "validation MSE x1000 of each rate"], rows)}`;
}

async function curvesOf(stages: string, budget: Budget, { objective, sweep }: ObjectiveResult): Promise<string> {
  const charts: string[] = [];
  for (const names of [["pretrain"], trainedVariants.map(({ name }) => name)]) {
    const curves = [];
    for (const name of names) {
      const seed = join(stages, objective, `seed-${budget.seeds[0]}`);
      const folder = name === "pretrain" ? seed : variantFolder(seed, name, sweep[name]!.chosen);
      const { steps } = await readCurves(host, join(folder, name));
      curves.push({
        name,
        points: smooth(
          steps.map(({ step, loss }) => [step, loss] as const),
          60,
        ),
      });
    }
    charts.push(
      lineChart(curves, {
        title: names.length === 1 ? "Pretraining loss" : "Training loss",
        xLabel: "step",
        yLabel: "loss",
        logarithmic: true,
      }),
    );
  }
  return `<h3>Loss curves, seed ${budget.seeds[0]}</h3>${charts.join("\n")}`;
}

async function sheetOf(folder: string, rows: readonly Row[]): Promise<string> {
  const columns: [string, Float32Array][] = [];
  const read = async (name: string): Promise<Float32Array> => {
    const path = join(folder, `sheet-${name}.safetensors`);
    return readSafetensors(await host.readBytes(path), path).tensor("pictures").data as Float32Array;
  };
  for (const [title, name] of [
    ["source", "copy"],
    ["base", "base"],
    ["shared", "shared"],
    ["fine-tuned", "sft"],
    ["generated", "full"],
    ["shuffled", "shuffle"],
    ["target", "target"],
  ] as const) {
    columns.push([title, await read(name)]);
  }
  return contactSheet(
    columns.map(([title]) => title),
    sheetRows.map((row, place) => ({
      caption: `${conflictTasks[rows[row]!.task]!.name}: "${rows[row]!.phrase}"`,
      pictures: columns.map(([, pictures]) => pictureAt(pictures, place)),
    })),
    pictureSize,
  );
}
