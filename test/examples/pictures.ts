import { generator } from "../../examples/conflict-edit/metrics.js";
import { type Pictures, pictureNumbers } from "../../examples/conflict-edit/pictures.js";

/** Pictures of random colours: four for training, two for validation, the others held out. */
export function randomPictures(count: number): Pictures {
  const random = generator(3);
  const rows = Array.from({ length: count }, (_, index) => index);
  return {
    names: rows.map((row) => `picture ${row}`),
    pixels: Float32Array.from({ length: count * pictureNumbers }, () => random()),
    splits: { train: rows.slice(0, 4), validation: rows.slice(4, 6), test: rows.slice(6) },
  };
}
