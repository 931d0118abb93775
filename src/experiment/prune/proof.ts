import { join } from "node:path";
import type { Evaluation } from "../../evaluation/evaluate.ts";
import type { Subnetwork } from "../../model/model.ts";
import type { Proof } from "./record.ts";
import { textOf } from "./settle.ts";
import type { Workspace } from "./workspace.ts";

/** Measures on what decided nothing: the whole model, the shipped one, and the best baseline. */
export async function prove(
  work: Workspace,
  shipped: Subnetwork,
  baseline: () => Promise<Subnetwork | undefined>,
): Promise<Proof[]> {
  const evaluations = await evaluationsOf(work);
  if (evaluations.length === 0) return [];
  const { model, folder, call } = work;
  const scoresOf = async (subject: Subnetwork) =>
    (await subject.evaluate(evaluations, { journal: join(folder, "items"), ...call })).map(
      ({ scores }) => scores,
    );
  const whole = await scoresOf(model);
  const own = await scoresOf(shipped);
  const other = await baseline();
  const others = other === undefined ? [] : await scoresOf(other);
  await other?.close();
  return evaluations.map(({ name = "" }, at) => ({
    name,
    whole: whole[at] as Proof["whole"],
    shipped: own[at] as Proof["whole"],
    baseline: (others[at] ?? null) as Proof["baseline"],
  }));
}

async function evaluationsOf({ options, model, call }: Workspace): Promise<Evaluation[]> {
  const { texts = {}, tasks = {}, shots = 5, maxChunks = 32 } = options.evaluate ?? {};
  const { length } = textOf(options);
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
