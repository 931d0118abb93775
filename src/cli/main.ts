#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { packageVersion } from "../platform/package-root.ts";
import type { ErrorDocument } from "../schemas.ts";
import { commands } from "./commands.ts";
import { printJson, reportError } from "./error-report.ts";
import { exitCodes } from "./exit-codes.ts";
import { addRemoteFlags } from "./remote-flags.ts";

const program = new Command("depthkit")
  .description("Take Hugging Face LLMs apart along their depth: measure, remove, compare, save.")
  .version(packageVersion())
  .showHelpAfterError("(depthkit <command> --help lists what it takes)")
  .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong arguments, 3 set-up needed, 130 cancelled.")
  .exitOverride();

addRemoteFlags(program);
const words = process.argv.slice(2);

// Subcommands copy the settings above when they are made. Some are named as a flag's value too: loaded for
// nothing then.
for (const { name, description, examples, load } of commands) {
  const command = program.command(name).description(description);
  if (!words.includes(name)) continue;
  (await load())(command);
  const title = examples.length === 1 ? "Example" : "Examples";
  command.addHelpText("after", ["", `${title}:`, ...examples.map((line) => `  ${line}`)].join("\n"));
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
