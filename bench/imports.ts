/**
 * How long a program waits for `import "depthkit"`, and a person for `depthkit --help`, with what was built
 * (`npm run bench -- imports` builds first). Node's own start is in each figure. The rounds take turns, so
 * that a busy machine slows all alike; each goal is for an idle one.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../scripts/steps.ts";
import { renderTable } from "../src/report/index.ts";
import { median } from "./figures.ts";

const ROUNDS = 9;
const built = pathToFileURL(join(root, "dist", "index.js")).href;
const cli = join(root, "dist", "cli", "main.js");
const cases = [
  { what: "Node alone", args: ["-e", "0"], goal: null },
  {
    what: 'import "depthkit"',
    args: ["--input-type=module", "-e", `import ${JSON.stringify(built)}`],
    goal: 0.5,
  },
  { what: "depthkit --help", args: [cli, "--help"], goal: 0.4 },
  { what: "depthkit evaluate --help", args: [cli, "evaluate", "--help"], goal: null },
];
const times = cases.map((): number[] => []);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, { args, what }] of cases.entries()) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${what} ended with ${status}: ${stderr}`);
    times[index]?.push((performance.now() - start) / 1000);
  }
}
const rows = cases.map(({ what, goal }, index) => {
  const taken = times[index] ?? [];
  return [what, median(taken).toFixed(2), Math.min(...taken).toFixed(2), goal === null ? "" : `< ${goal}`];
});
const columns = ["", "median, s", "least, s", "goal, s"];
console.log(
  renderTable(
    columns.map((title, index) => ({ title, align: index === 0 ? "left" : "right" })),
    rows,
  ),
);
const missed = cases.some(({ goal }, index) => goal !== null && median(times[index] ?? []) > goal);
process.exitCode = missed ? 1 : 0;
