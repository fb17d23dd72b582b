import type { Device } from "../device.js";
import { ReferenceExecutable } from "./executable.js";
import { ReferenceParameterSet } from "./parameters.js";
import { loadProgram } from "./program.js";
import { Queue } from "./queue.js";

/**
 * The slow oracle as a device: runs the text of a program's graphs, unfused and in float64, under the contract every device meets. Numbers
 * are rounded only where they are stored or read. It runs programs of every target.
 */
export function createReferenceDevice(): Device {
  const queue = new Queue();
  let closed = false;
  const requireOpen = () => {
    if (closed) throw new Error("The device was closed");
  };
  const device: Device = {
    name: "reference (float64)",
    kind: "reference",
    async load(program) {
      requireOpen();
      return new ReferenceExecutable(loadProgram(program), device, queue);
    },
    async parameters(layout) {
      requireOpen();
      return new ReferenceParameterSet(layout, queue);
    },
    async close() {
      closed = true;
      await queue.close();
    },
  };
  return device;
}
