/** Rows of small pictures with captions, as one SVG that holds its pictures. */
import sharp from "sharp";
import { escapeText } from "./page.js";

export interface SheetRow {
  readonly caption: string;
  /** One picture per column: [3, side, side] in [0, 1]. */
  readonly pictures: readonly Float32Array[];
}

/** An SVG with a caption column and one column per header; pictures are enlarged without smoothing. */
export async function contactSheet(
  header: readonly string[],
  rows: readonly SheetRow[],
  side: number,
): Promise<string> {
  const [captionWidth, cell, gap, top] = [250, 72, 6, 28];
  const width = captionWidth + header.length * (cell + gap);
  const height = top + rows.length * (cell + gap);
  const parts = header.map(
    (text, column) =>
      `<text x="${captionWidth + column * (cell + gap) + cell / 2}" y="18" text-anchor="middle">${escapeText(text)}</text>`,
  );
  for (const [index, row] of rows.entries()) {
    const y = top + index * (cell + gap);
    parts.push(`<text x="4" y="${y + cell / 2 + 4}">${escapeText(row.caption)}</text>`);
    for (const [column, picture] of row.pictures.entries()) {
      parts.push(
        `<image x="${captionWidth + column * (cell + gap)}" y="${y}" width="${cell}" height="${cell}" style="image-rendering:pixelated" href="data:image/png;base64,${(await encodePng(picture, side)).toString("base64")}"/>`,
      );
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>${parts.join("\n")}</svg>\n`;
}

/** PNG of a [3, side, side] picture in [0, 1]; values outside are clipped. */
export async function encodePng(picture: Float32Array, side: number): Promise<Buffer> {
  const area = side * side;
  const bytes = new Uint8Array(3 * area);
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      bytes[pixel * 3 + channel] = Math.round(255 * Math.min(1, Math.max(0, picture[channel * area + pixel]!)));
  }
  return sharp(bytes, { raw: { width: side, height: side, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
