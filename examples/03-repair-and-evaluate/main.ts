/**
 * Removes three blocks, repairs the gaps without training, and scores the removed and the repaired model on
 * text and on questions of one's own, with a journal: what was scored once is not scored again. Ends with 1
 * where the repair does not win anything back, or the journal does not hold what it should.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Depthkit, pythonReference } from "depthkit";

const chapters = await pythonReference();
const calibration = { texts: chapters.filter((_, index) => index % 2 === 0) };
const heldOut = { texts: chapters.filter((_, index) => index % 2 === 1) };
const questions = [
  { question: "What colour is a clear sky by day?", options: ["blue", "green"], right: 0 },
  { question: "What do bees make?", options: ["milk", "honey"], right: 1 },
  { question: "What falls from clouds?", options: ["rain", "stones"], right: 0 },
];
const folder = mkdtempSync(join(tmpdir(), "depthkit-example-"));
const file = join(folder, "questions.jsonl");
writeFileSync(file, questions.map((row) => `${JSON.stringify(row)}\n`).join(""));

const kit = await Depthkit.start();
try {
  const model = await kit.loadModel("smollm2-135m");
  const corpus = await model.loadCorpus(calibration, { sequences: 8, length: 128 });
  const influence = await model.influence(corpus, { units: "block", metric: "cosine" });
  const pruned = model.without(influence.lowest(3));
  const repaired = await pruned.repair(corpus, { method: "low-rank", rank: 32 });

  const task = await model.loadTask(file, {
    format: { prompt: "Question: {question}\nAnswer:", choices: "options", answer: "right" },
  });
  const evaluations = [
    { kind: "perplexity", data: heldOut, chunk: 128, maxChunks: 4 },
    { kind: "choices", task },
  ] as const;
  const journal = join(folder, "journal");
  const perplexities: number[] = [];
  for (const subnetwork of [model.without([]), pruned, repaired]) {
    const [text, choices] = await subnetwork.evaluate(evaluations, { journal });
    // The word "Infinity" where it is larger than any number.
    const perplexity = Number(text.scores.perplexity);
    perplexities.push(perplexity);
    console.log(
      `without ${subnetwork.removed.join(", ") || "nothing"}, ${subnetwork.repairs.length} repairs:`,
      `perplexity ${perplexity.toFixed(2)}, accuracy ${choices.scores.acc.micro.toFixed(2)}`,
    );
  }
  const again = await repaired.evaluate(evaluations, { journal });
  const reused = again.every((result) => result.reused === result.items);
  console.log(
    `a second time: ${again.map((result) => `${result.reused} of ${result.items}`).join(", ")} reused`,
  );

  const [dense = 0, removed = 0, won = 0] = perplexities;
  process.exitCode = dense < won && won < removed && reused ? 0 : 1;
} finally {
  await kit.close();
  rmSync(folder, { recursive: true });
}
