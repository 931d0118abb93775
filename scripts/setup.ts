/** Prepares the worker's environment and the bundled model, and no more. */
import { runStep } from "./steps.ts";

runStep(process.execPath, ["--import", "tsx", "src/cli/main.ts", "setup", ...process.argv.slice(2)]);
