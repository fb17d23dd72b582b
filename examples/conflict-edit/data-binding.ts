/** The data binding of conflict-edit.weft for `weft train`, `weft eval` and `weft sample`. */
import type { DataOptions, DataSource } from "../../src/index.js";
import { loadPictures } from "./pictures.js";
import { editSources } from "./sources.js";

/** Sources generic, conflict, validation and held_out, of Twemoji or of the pictures in `--data DIR`. */
export async function sources({ folder, warn }: DataOptions): Promise<readonly DataSource[]> {
  return Object.values(editSources(await loadPictures(folder, warn)).sources);
}
