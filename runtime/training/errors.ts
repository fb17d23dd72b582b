/** What stops a training run, in words for its user. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  constructor(
    message: string,
    /** What to do about it. */
    readonly help?: string,
  ) {
    super(help === undefined ? message : `${message}\n  help: ${help}`);
  }
}
