/** `npm test`: sets everything up, runs the tests of both languages and adds up what they say. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pythonTools } from "./python-tools.ts";
import { root, runStep } from "./steps.ts";

const bin = (name: string) => join(root, "node_modules", ".bin", name);
const reports = join(root, ".depthkit", "test-reports");
mkdirSync(reports, { recursive: true });

runStep(process.execPath, ["--import", "tsx", "src/cli/main.ts", "setup", "--with", "onnx"]);

const junit = join(reports, "python.xml");
const { python, env } = await pythonTools();
// Three keep two cores at work while one of them waits for a process that it started.
const pytest = runStep(python, ["-m", "pytest", "-q", "-n", "3", "-rs", `--junitxml=${junit}`], {
  env,
  cwd: join(root, "python"),
  keepGoing: true,
});

const json = join(reports, "typescript.json");
const vitest = runStep(
  bin("vitest"),
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${json}`],
  {
    keepGoing: true,
  },
);

const suite = /<testsuite [^>]*>/.exec(readFileSync(junit, "utf8"))?.[0] ?? "";
const count = (name: string) => Number(new RegExp(` ${name}="([0-9]+)"`).exec(suite)?.[1] ?? 0);
const typescript = JSON.parse(readFileSync(json, "utf8")) as {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
};
const pythonFailed = count("failures") + count("errors");
const skipped = count("skipped") + typescript.numPendingTests;
const passed = count("tests") - pythonFailed - count("skipped") + typescript.numPassedTests;
const failed = pythonFailed + typescript.numFailedTests;
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
if (skipped > 0 && process.env["CI"] !== undefined) {
  console.error("CI has everything the tests need; nothing may be skipped there. The reasons are above.");
  process.exit(1);
}
process.exit(pytest === 0 && vitest === 0 && failed === 0 ? 0 : 1);
