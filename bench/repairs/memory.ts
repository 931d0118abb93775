import { z } from "zod";
import { Depthkit } from "../../src/index.ts";
import type { StepsFile } from "../../src/journal/steps-file.ts";
import { closedForm, type Method, trained } from "./methods.ts";

const length = 32;
const sequences = [32, 320] as const;
/** A run and one alone. */
const removed = [13, 14, 17].map((block) => `block.${block}`);

/**
 * Prints what each method takes over the loaded model, on ten times the text too: as many steps where it
 * trains.
 */
export async function printMemory(texts: string, journal: StepsFile): Promise<void> {
  console.log(`Peak over the loaded model in MB, sequences of ${length} tokens.\n`);
  console.log(`| method | ${sequences.join(" | ")} | by |\n|---|---|---|---|`);
  for (const { name } of methods(sequences[0])) {
    const peaks: number[] = [];
    for (const count of sequences) {
      const method = methods(count).find((each) => each.name === name);
      if (method === undefined) throw new Error(`There is no method ${name}.`);
      peaks.push(
        await journal.step({ removed, length, count, method }, z.number(), () => peak(texts, count, method)),
      );
    }
    const [few = Number.NaN, many = Number.NaN] = peaks;
    console.log(
      `| ${name} | ${peaks.map((bytes) => (bytes / 1e6).toFixed(0)).join(" | ")} | ` +
        `${(many / few).toFixed(2)} |`,
    );
  }
}

/** Those that train hold out an eighth. */
function methods(count: number): Method[] {
  const training = { steps: 16, batchSize: 4, validation: count / 8, validateEvery: 16 };
  return [...closedForm, ...trained(training).flat()];
}

/** In a worker of its own: what one call leaves behind would hide the next one's peak. */
async function peak(texts: string, count: number, { options }: Method): Promise<number> {
  await using kit = await Depthkit.start();
  const model = await kit.loadModel("smollm2-135m");
  const corpus = await model.loadCorpus(texts, { sequences: count, length });
  const one = await model.loadCorpus(texts, { sequences: 1, length });
  // Weights come from their file as they are first used, and are to count as the model's.
  await model.evaluateSubnetworks(one, [[]]).result;
  const { residentBytes } = await kit.status();
  const { report } = await model.without(removed).repair(corpus, options);
  return report.peakBytes - residentBytes;
}
