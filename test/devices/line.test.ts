import assert from "node:assert/strict";
import { Line } from "../../runtime/line.js";

describe("the line of a device's tasks", () => {
  it("frees nothing before what runs while it closes is over", async () => {
    const line = new Line();
    const events: string[] = [];
    const run = line.enqueue(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      events.push("ran");
    });
    const closed = line.close();
    line.afterAll(() => events.push("freed"));
    await Promise.all([run, closed]);
    line.afterAll(() => events.push("freed later"));
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.deepEqual(events, ["ran", "freed", "freed later"]);
  });
});
