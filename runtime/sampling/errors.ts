/** A request for samples that does not fit its model, in words for its user. */
export class SamplingError extends Error {
  override readonly name = "SamplingError";
}
