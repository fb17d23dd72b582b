import { randomFrom } from "../kernels/random-contraction.js";
import { randomScatter, scatterNumber } from "../kernels/random-scatter.js";
import { describeOnDevices } from "./devices.js";
import { assertClose, type KernelCase, listOf, runOnDevice, runReference, together } from "./kernel-runs.js";

describeOnDevices("scatter-add kernels", (device) => {
  it("add up the updates of each index and clear the others", async () => {
    const random = randomFrom(Number(process.env.WEFT_SEED ?? 7));
    const cases = Array.from({ length: 20 }, (): KernelCase => {
      const { record, buffers } = randomScatter(random);
      const contents: Record<string, number[]> = {};
      for (const buffer of buffers) {
        if (buffer.home.segment !== "inputs") continue;
        contents[buffer.home.name] = Array.from({ length: buffer.elements }, () =>
          scatterNumber(record, buffer, random),
        );
      }
      return { list: listOf(buffers, [record]), contents };
    });
    const { list, contents } = together(cases);
    const expected = runReference(list, contents);
    const actual = await runOnDevice(device(), list, contents);
    for (const [name, numbers] of Object.entries(expected)) {
      assertClose(actual[name]!, numbers, () => `${name}: ${JSON.stringify(list.kernels[Number.parseInt(name, 10)])}`);
    }
  });
});
