/** What `weft train` and `weft eval` load beside interface-zoo.weft: conflict-edit's binding as `npm run build` left it. */
export { sources } from "../../dist/examples/conflict-edit/data-binding.js";
