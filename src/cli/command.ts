import { DepthkitError } from "../index.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
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

/**
 * Runs a command: Ctrl-C cancels it in good order (a second one ends it on the spot), the result goes to
 * standard output once, errors go to standard error, and the exit code says which kind it was.
 */
export async function runCommand(
  options: { json?: boolean | undefined },
  command: (context: CommandContext) => Promise<Output>,
): Promise<void> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(exitCodes.cancelled);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const progress = progressView();
  try {
    const output = await command({ signal: controller.signal, progress });
    progress.stop();
    process.stdout.write(options.json ? `${JSON.stringify(output.json, null, 2)}\n` : `${output.text}\n`);
    process.exitCode = output.exitCode ?? exitCodes.done;
  } catch (error) {
    progress.stop();
    report(error, options.json ?? false);
    process.exitCode = exitCodeOf(error);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function report(error: unknown, json: boolean): void {
  const known = error instanceof DepthkitError;
  if (json) {
    const body = known
      ? { code: error.code, message: error.message, details: error.details }
      : { code: "INTERNAL", message: String(error), details: {} };
    process.stdout.write(`${JSON.stringify({ error: body }, null, 2)}\n`);
  }
  if (known && error.code === "CANCELLED") process.stderr.write("Cancelled.\n");
  else if (known) process.stderr.write(`${error.code}: ${error.message}\n${traceback(error)}`);
  else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

/** A Python traceback is shown where the fault may be ours; an error raised on purpose has none. */
function traceback({ details }: DepthkitError): string {
  const python = details["python"] as { traceback?: string } | undefined;
  return python?.traceback === undefined ? "" : `${python.traceback}\n`;
}
