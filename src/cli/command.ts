import { type Depthkit, DepthkitError } from "../index.ts";
import { printJson, reportError, tell } from "./error-report.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { onInterrupt } from "./interrupts.ts";
import { type ProgressView, progressView } from "./terminal/progress-view.ts";

export interface CommandContext {
  signal: AbortSignal;
  progress: ProgressView;
}

export interface Output {
  /** The one document that `--json` prints. */
  json: unknown;
  /** What a person reads. */
  text: string;
  /** Default 0. */
  exitCode?: number;
}

export interface CommandFlags {
  json?: boolean | undefined;
  /** A folder from which the same command goes on. */
  journal?: string | undefined;
}

/**
 * Runs a command: Ctrl-C, SIGTERM and SIGHUP cancel it in good order (a second one ends it on the spot), the
 * result or the error goes to standard output once, errors go to standard error too, and the exit code says
 * which kind it was.
 */
export async function runCommand(
  { json = false, journal }: CommandFlags,
  command: (context: CommandContext) => Promise<Output>,
  progress: ProgressView = progressView(),
): Promise<void> {
  const controller = new AbortController();
  onInterrupt(
    () => {
      progress.stop();
      tell("Stopping after the running step. The same again ends it at once.");
      controller.abort();
    },
    (signal) => {
      progress.stop();
      const message = `A second signal (${signal}) ended the command at once; what it was at is lost.`;
      reportError(new DepthkitError("CANCELLED", message), { json, journal });
      process.exit(exitCodes.cancelled);
    },
  );
  try {
    const output = await command({ signal: controller.signal, progress });
    progress.stop();
    if (json) printJson(output.json);
    else process.stdout.write(`${output.text}\n`);
    process.exitCode = output.exitCode ?? exitCodes.done;
  } catch (error) {
    progress.stop();
    reportError(error, { json, journal });
    process.exitCode = exitCodeOf(error);
  }
}

/** Refuses a folder that goes on from run to run where nothing can be added to it, before any work. */
export async function checkJournal(
  kit: Depthkit,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  // A remote worker's folders are not those that journals are in.
  if (folder !== undefined && kit.connection.remote === undefined)
    await kit.checkTarget(folder, { kind: "files", signal });
}
