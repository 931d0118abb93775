import { join } from "node:path";
import { item } from "../../arrays.ts";
import type { Evaluation } from "../../evaluation/evaluate.ts";
import type { Subnetwork } from "../../model/model.ts";
import type { ContenderName } from "./names.ts";
import type { Proof } from "./record.ts";
import { mostChunks, textOf } from "./settle.ts";
import type { Workspace } from "./workspace.ts";

/** A contender to measure beside the shipped model: made when its turn comes, and given back after it. */
export interface Beside {
  readonly contender: ContenderName;
  readonly make: () => Promise<Subnetwork>;
}

/** Measures the whole model, the shipped one and some contenders on what decided nothing. */
export async function prove(
  work: Workspace,
  shipped: Subnetwork,
  beside: readonly Beside[],
): Promise<Proof[]> {
  const evaluations = await evaluationsOf(work);
  if (evaluations.length === 0) return [];
  const { model, folder, call } = work;
  const scoresOf = async (subject: Subnetwork) => {
    const results = await subject.evaluate(evaluations, { journal: join(folder, "items"), ...call });
    return results.map(({ scores }) => scores as Scores);
  };
  const whole = await scoresOf(model);
  const own = await scoresOf(shipped);
  const others: { contender: ContenderName; scores: Scores[] }[] = [];
  for (const { contender, make } of beside) {
    await using subject = await make();
    others.push({ contender, scores: await scoresOf(subject) });
  }
  return evaluations.map(({ name = "" }, at) => ({
    name,
    whole: item(whole, at),
    shipped: item(own, at),
    beside: others.map(({ contender, scores }) => ({ contender, scores: item(scores, at) })),
  }));
}

type Scores = Proof["whole"];

async function evaluationsOf({ options, model, call }: Workspace): Promise<Evaluation[]> {
  const { texts = {}, tasks = {}, shots = 5, maxChunks = mostChunks } = options.evaluate ?? {};
  const { length } = textOf(options).corpus;
  const found: Evaluation[] = Object.entries(texts).map(([name, data]) => ({
    kind: "perplexity",
    name,
    data,
    chunk: length,
    maxChunks,
  }));
  for (const [name, data] of Object.entries(tasks)) {
    const task = await model.loadTask(data, { shots, signal: call.signal, timeoutMs: call.timeoutMs });
    found.push({ kind: task.info.kind === "last-word" ? "lastWord" : "choices", name, task });
  }
  return found;
}
