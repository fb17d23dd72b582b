/** What the `weft` command says to the shell. */
export const exitCodes = {
  ok: 0,
  /** The program text, the data or a run was wrong; messages are on stderr. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
} as const;

/** An error whose message is all the user needs; printed without a stack. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = exitCodes.failed,
  ) {
    super(message);
    this.name = "CommandError";
  }
}
