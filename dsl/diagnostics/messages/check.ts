/** Messages of `dsl/check`: names, kinds and arguments. Codes W2xx. */
export const checkMessages = {};
