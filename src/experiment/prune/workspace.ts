import { join } from "node:path";
import { z } from "zod";
import { present } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { modelKey } from "../../evaluation/keys.ts";
import type { StepsFile } from "../../journal/steps-file.ts";
import type { Corpus, LoadCorpusOptions } from "../../model/corpus.ts";
import type { Depthkit } from "../../model/depthkit.ts";
import type { Model } from "../../model/model.ts";
import { costBudgets } from "../../model/search/count-budget.ts";
import { FitInfluence } from "../../model/search/fit-influence.ts";
import { influenceScores } from "../../model/search/influence-scores.ts";
import { playersOf } from "../../model/search/settle.ts";
import { checkPartsApart } from "../../model/search/text-parts.ts";
import type { UnitCosts } from "../../model/search/unit-costs.ts";
import { type UnitName, unitName } from "../../protocol/common.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { checkFormat } from "./format.ts";
import type { PruneOptions } from "./options.ts";
import { mostChunks, type Repairs, repairsOf, textOf } from "./settle.ts";

/** A model with the parts of its text, and what was finished of the work on it. */
export interface Workspace {
  readonly options: PruneOptions;
  readonly repairs: Repairs;
  readonly model: Model;
  readonly players: readonly UnitName[];
  /** Cosine influence of each player on `fit`. */
  readonly scores: Readonly<Record<UnitName, number>>;
  /** What units cost, measured once where the budget asks for it: all contenders have the same size by it. */
  readonly costs: UnitCosts | undefined;
  readonly fit: Corpus;
  /** A list that grows. */
  readonly chooseOn: readonly Corpus[];
  readonly heldOut: Corpus;
  /** The held-out part, a sequence each, so that models are compared sequence by sequence. */
  readonly sequences: readonly Corpus[];
  readonly steps: StepsFile;
  /** Where everything but the smaller model goes. */
  readonly folder: string;
  /** All that a step on this model and text rests on, beside what the step itself names. */
  readonly key: object;
  readonly call: CallOptions;
}

/** Each part is there: none of them may be empty. */
interface Parts {
  readonly fit: Corpus;
  readonly choose: readonly Corpus[];
  readonly report: Corpus;
}

const cost = z.object({
  parameters: z.number(),
  bytes: z.number(),
  "kv-bytes": z.number(),
  seconds: z.number().optional(),
});
const costsSchema: z.ZodType<UnitCosts> = z.object({ units: z.record(unitName, cost), model: cost });
const scoresSchema = z.record(z.string(), z.number());

export const folderOf = ({ out, folder = `${out}.run` }: PruneOptions): string => folder;

/** Loads the model and its text. Closing the model gives all of it back. */
export async function openWorkspace(
  kit: Depthkit,
  options: PruneOptions,
  steps: StepsFile,
): Promise<Workspace> {
  const { signal, onProgress, timeoutMs, data } = options;
  const call = { signal, onProgress, timeoutMs };
  const model = await kit.loadModel(options.model, { ...options.load, ...call });
  try {
    const players = playersOf(options.players ?? "block", model.info);
    const repairs = repairsOf(options, model.info.hiddenSize);
    await checkFormat({ model, options, players, repairs, call });
    const { split, corpus } = textOf(options);
    const parts = await model.splitText(data, { ...split, ...corpus, ...call });
    const { fit, choose, report } = parts as Parts;
    const sequences: Corpus[] = [];
    for (const number of present(report.info.numbers ?? undefined, "the held-out sequences")) {
      sequences.push(await model.loadCorpus(data, { ...corpus, numbers: [number], signal, timeoutMs }));
    }
    await checkApart(model, options, { fit, choose: choose.at(-1) ?? fit, corpus }, call);
    const keys = { fit: fit.key, choose: choose.map(({ key }) => key), heldOut: report.key };
    const key = { model: modelKey(model.info), ...keys };
    const scores = await steps.step({ step: "influence", players, of: key }, scoresSchema, async () => {
      const influence = new FitInfluence(model.subject, fit);
      const found = await influenceScores(players, influence, { metric: "cosine" }, call);
      return Object.fromEntries(players.map((unit, at) => [unit, found[at] ?? Number.NaN]));
    });
    const asked = costBudgets(options.budget);
    const seconds = asked?.some(({ cost }) => cost === "seconds");
    const costs =
      asked &&
      (await steps.step({ step: "costs", seconds, of: key }, costsSchema, () =>
        model.unitCosts({ seconds, ...call }),
      ));
    return {
      options,
      repairs,
      model,
      players,
      scores,
      costs,
      fit,
      chooseOn: choose,
      heldOut: report,
      sequences,
      steps,
      folder: folderOf(options),
      key,
      call,
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

export const journalOf = ({ folder }: Workspace): string => join(folder, "games");

/** Refuses text to measure on besides that repairs are fitted to or sets are chosen on. */
async function checkApart(
  model: Model,
  { evaluate: { texts = {}, maxChunks = mostChunks } = {} }: PruneOptions,
  { fit, choose, corpus }: { fit: Corpus; choose: Corpus; corpus: LoadCorpusOptions },
  call: CallOptions,
): Promise<void> {
  for (const [name, data] of Object.entries(texts)) {
    const load = (sequences: number | null) => model.loadCorpus(data, { ...corpus, sequences, ...call });
    // A text that is shorter than what would be measured is looked at whole.
    await using measured = await load(maxChunks).catch((error: unknown) => {
      if (error instanceof DepthkitError && error.is("NOT_ENOUGH_TEXT")) return load(null);
      throw error;
    });
    const text = { name: `evaluate.texts.${name}`, data: measured };
    for (const part of [
      { name: "fit", data: fit },
      { name: "choose", data: choose },
    ]) {
      await checkPartsApart(model.subject, [part, text], { signal: call.signal, timeoutMs: call.timeoutMs });
    }
  }
}
