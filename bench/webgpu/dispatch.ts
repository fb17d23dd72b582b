/**
 * Host time per dispatch of a steady step, beside a bare loop over the same pipelines and bind groups.
 * Usage: npx tsx bench/webgpu/dispatch.ts [dispatches] [rounds]
 */
import { measureDispatch } from "./dispatch-cost.js";

const [dispatches = 600, rounds = 31] = process.argv.slice(2).map(Number);
const costs = await measureDispatch({ dispatches, rounds });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const line = (name: string, value: (values: readonly number[]) => number): string => {
  const [step, bare] = [value(costs.steps), value(costs.bare)];
  return `${name.padEnd(8)} step ${step.toFixed(0)} ns, bare loop ${bare.toFixed(0)} ns per dispatch, ratio ${(step / bare).toFixed(2)}`;
};
console.log(`${dispatches} dispatches a step, ${rounds} rounds in turns, Dawn's null backend`);
console.log(line("median", median));
console.log(line("fastest", (values) => Math.min(...values)));
