/** WebGPU's numbers for what a buffer may be used for, and where. Browsers have them in globals; Dawn in Node leaves globals alone. */
export const bufferUsage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyDestination: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;

export const mapForReading = 0x1;

export const computeStage = 0x4;
