#!/usr/bin/env node
import { CommanderError } from "commander";
import type { ErrorDocument } from "../schemas.ts";
import { commands } from "./commands.ts";
import { printJson, reportError } from "./error-report.ts";
import { exitCodes } from "./exit-codes.ts";
import { addCommand, completeCommand, makeProgram } from "./program.ts";

const program = makeProgram();
const words = process.argv.slice(2);

// Some are named as a flag's value too: completed for nothing then.
for (const entry of commands) {
  const command = addCommand(program, entry);
  if (words.includes(entry.name)) await completeCommand(command, entry);
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  if (error.code !== "EIO") throw error;
});
// A terminal that was closed takes no words (EIO), and the command still has to end in good order.
process.stderr.on("error", () => {});

const json = process.argv.includes("--json");
process.on("uncaughtException", (error) => {
  reportError(error, { json });
  process.exit(exitCodes.failed);
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version are errors to commander, with exit code 0; everything else is wrong usage, and told.
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (json && error.exitCode !== 0) printJson(usageDocument(error.message));
}

function usageDocument(words: string): ErrorDocument {
  const message = words.replace(/^error: /, "");
  return { error: { code: "INVALID_ARGUMENT", message, details: {}, resume: null } };
}
