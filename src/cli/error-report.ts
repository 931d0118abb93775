import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { DepthkitError } from "../index.ts";
import type { ErrorDocument } from "../schemas.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";

export interface Told {
  /** Whether standard output gets the error as a document. */
  json: boolean;
  /** The folder from which the same command goes on, where there is one. */
  journal?: string | undefined;
}

/** Says what went wrong: to people on standard error, and where asked for to programs on standard output. */
export function reportError(error: unknown, { json, journal }: Told): void {
  const known = error instanceof DepthkitError;
  // A command that was refused would be refused again, and one that has kept nothing begins anew.
  const resume =
    journal === undefined || exitCodeOf(error) === exitCodes.usage || !existsSync(journal)
      ? null
      : { journal: resolve(journal), command: shellCommand(process.argv.slice(2)) };
  if (json) {
    const { code, message, details } = known
      ? error
      : { code: "INTERNAL" as const, message: String(error), details: {} };
    printJson({ error: { code, message, details, resume } } satisfies ErrorDocument);
  }
  if (known && error.code === "CANCELLED") tell("Cancelled.");
  else if (known) tell(`${error.code}: ${error.message}${traceback(error)}`);
  else tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (resume !== null) tell(`What was finished is kept in ${resume.journal}. To go on:\n  ${resume.command}`);
}

export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A Python traceback is shown where the fault may be ours; an error raised on purpose has none. */
function traceback({ details }: DepthkitError): string {
  const python = details["python"] as { traceback?: string } | undefined;
  return python?.traceback === undefined ? "" : `\n${python.traceback}`;
}

/** A command as a shell reads it. */
export function shellCommand(args: readonly string[], platform = process.platform): string {
  const quoted = args.map((arg) => {
    if (/^[\w@%+=:,./-]+$/.test(arg)) return arg;
    return platform === "win32" ? `"${arg.replaceAll('"', '\\"')}"` : `'${arg.replaceAll("'", "'\\''")}'`;
  });
  return ["npx depthkit", ...quoted].join(" ");
}
