import assert from "node:assert/strict";
import sharp from "sharp";
import { lineChart, smooth } from "../../runtime/report/charts.js";
import { contactSheet, encodePng } from "../../runtime/report/contact-sheet.js";
import { htmlPage, htmlTable, textTable } from "../../runtime/report/page.js";

describe("reports", () => {
  it("draws curves as SVG with their names and the title", () => {
    const svg = lineChart(
      [
        {
          name: "shared",
          points: [
            [0, 1],
            [10, 0.5],
          ],
        },
      ],
      { title: "Loss", xLabel: "step", yLabel: "loss" },
    );
    assert.match(svg, /^<svg /);
    assert.match(svg, /shared/);
    assert.match(svg, /Loss/);
  });

  it("smooths a curve into means of equal stretches", () => {
    const points = Array.from({ length: 100 }, (_, i) => [i, i] as const);
    assert.deepEqual(smooth(points, 2), [
      [24.5, 24.5],
      [74.5, 74.5],
    ]);
  });

  it("escapes what stands in tables and titles", () => {
    const page = htmlPage("a < b", [{ title: "t", html: htmlTable(["x"], [["<script>"]]) }]);
    assert.ok(!page.includes("<script>"));
    assert.match(page, /a &lt; b/);
  });

  it("aligns text tables by their widest cell", () => {
    assert.equal(
      textTable(
        ["name", "n"],
        [
          ["a", "10"],
          ["long name", "1"],
        ],
      ),
      "name        n\n---------  --\na          10\nlong name   1",
    );
  });

  it("writes pictures that read back as they were", async () => {
    const picture = Float32Array.from({ length: 12 }, (_, i) => i / 11);
    const { data } = await sharp(await encodePng(picture, 2))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual(
      [...data.subarray(0, 3)],
      [0, 4, 8].map((i) => Math.round((255 * i) / 11)),
    );
    const sheet = await contactSheet(["source"], [{ caption: "make it <new>", pictures: [picture] }], 2);
    assert.match(sheet, /make it &lt;new&gt;/);
    assert.match(sheet, /data:image\/png;base64,/);
  });
});
