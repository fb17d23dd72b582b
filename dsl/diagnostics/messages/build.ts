/** Messages of `src/build`: what shows only when a model's sizes are known. Codes W3xx. */
export const buildMessages = {};
