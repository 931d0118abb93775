/**
 * Makes the bundled model smaller by two blocks: five ways to choose them, the same repair for each, and the
 * best on text that none of them has seen is saved. Ends with 1 where what was saved is not that one.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Depthkit, prune, pythonReference } from "depthkit";

const folder = mkdtempSync(join(tmpdir(), "depthkit-example-"));
const out = join(folder, "smaller");
const kit = await Depthkit.start();
try {
  const record = await prune(kit, {
    model: "smollm2-135m",
    budget: 2,
    data: { texts: await pythonReference() },
    text: { length: 64, fit: 6, choose: [1, 2], report: 5 },
    candidates: 4,
    out,
    onEvent: (event) => {
      if (event.kind === "plan") {
        const seconds = event.plan.steps.reduce((sum, step) => sum + step.seconds, 0);
        console.log(`searching takes about ${Math.ceil(seconds)} s`);
      } else {
        const { name, removed, repairedLoss } = event.contender;
        console.log(`${name}: without ${removed.join(", ")} the loss is ${repairedLoss?.toFixed(3)}`);
      }
    },
  });
  const { contender, loss } = record.shipped;
  console.log(
    `saved the set of ${contender}: loss ${loss.toFixed(3)}, the whole model's ${record.wholeLoss.toFixed(3)}`,
  );
  const losses = record.contenders.map(({ repairedLoss }) => repairedLoss ?? Number.NaN);
  const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
  const right = loss === Math.min(...losses) && config.num_hidden_layers === 28;
  process.exitCode = right ? 0 : 1;
} finally {
  await kit.close();
  rmSync(folder, { recursive: true });
}
