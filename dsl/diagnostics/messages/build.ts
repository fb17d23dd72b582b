/** Messages of `src/build`: what shows only when a model's sizes are known. Codes W3xx. */
import { adaptMessages } from "./build/adapt.js";
import { derivativeMessages } from "./build/derivatives.js";
import { modelMessages } from "./build/model.js";
import { rowMessages } from "./build/rows.js";
import { samplingMessages } from "./build/sampling.js";
import { shapeMessages } from "./build/shapes.js";
import { valueMessages } from "./build/values.js";

export const buildMessages = {
  ...valueMessages,
  ...shapeMessages,
  ...adaptMessages,
  ...derivativeMessages,
  ...modelMessages,
  ...samplingMessages,
  ...rowMessages,
};
