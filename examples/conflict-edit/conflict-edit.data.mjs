/** What `weft train`, `weft eval` and `weft sample` load beside conflict-edit.weft: the binding as `npm run build` left it. */
export { sources } from "../../dist/examples/conflict-edit/data-binding.js";
