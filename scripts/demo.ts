/** `npm run demo`: sets everything up, then runs `depthkit demo` with the same arguments. */
import { runStep } from "./steps.ts";

const cli = ["--import", "tsx", "src/cli/main.ts"];
runStep(process.execPath, [...cli, "setup"], { stdoutToStderr: true });
runStep(process.execPath, [...cli, "demo", "--out", "out/demo", ...process.argv.slice(2)]);
