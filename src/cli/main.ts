#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { packageVersion } from "../index.ts";
import { registerDemo } from "./demo.ts";
import { registerDoctor } from "./doctor.ts";
import { registerEvaluate } from "./evaluate.ts";
import { exitCodes } from "./exit-codes.ts";
import { registerExport } from "./export.ts";
import { registerFetch } from "./fetch.ts";
import { registerGenerate } from "./generate.ts";
import { registerInfluence } from "./influence.ts";
import { registerKeys } from "./keys.ts";
import { registerLmEval } from "./lm-eval.ts";
import { registerProfile } from "./profile.ts";
import { addRemoteFlags } from "./remote.ts";
import { registerRepair } from "./repair.ts";
import { registerSetup } from "./setup.ts";
import { registerShapley } from "./shapley.ts";
import { registerSolve } from "./solve.ts";
import { registerWorker } from "./worker.ts";

const program = new Command("depthkit")
  .description("Take Hugging Face LLMs apart along their depth: measure, remove, compare, save.")
  .version(packageVersion())
  .showHelpAfterError("(depthkit <command> --help lists what it takes)")
  .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong arguments, 3 set-up needed, 130 cancelled.")
  .exitOverride();

addRemoteFlags(program);

// Subcommands copy the settings above when they are made.
for (const register of [
  registerSetup,
  registerDoctor,
  registerInfluence,
  registerShapley,
  registerRepair,
  registerEvaluate,
  registerSolve,
  registerLmEval,
  registerGenerate,
  registerProfile,
  registerExport,
  registerDemo,
  registerKeys,
  registerWorker,
  registerFetch,
]) {
  register(program);
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version are errors to commander, with exit code 0; everything else is wrong usage.
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
}
