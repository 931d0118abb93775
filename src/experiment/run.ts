import { join } from "node:path";
import type { z } from "zod";
import { modelKey } from "../evaluation/keys.ts";
import { textDigest } from "../evaluation/text-data.ts";
import { StepsFile } from "../journal/steps-file.ts";
import { Depthkit } from "../model/depthkit.ts";
import { Influence } from "../model/influence.ts";
import type { Model } from "../model/model.ts";
import { anInstance, aText, type Checks, checkArgument, checkOptions, required } from "../options.ts";
import { packageVersion } from "../platform/package-root.ts";
import type { CallOptions } from "../rpc/connection.ts";
import { parseParams } from "../rpc/parse-params.ts";
import { withTimeLimit, workerCallChecks } from "../rpc/time-limit.ts";
import { type Plan, planSchema } from "./plan.ts";
import { influenceDataSchema, type Removal, type RunRecord, recordSchema, removalSchema } from "./record.ts";
import { writeRecord } from "./write-record.ts";

export interface RunOptions extends CallOptions {
  /** Where `journal.jsonl`, `items/` and `record.json` go. A run that was interrupted goes on from them. */
  folder: string;
}

const runChecks: Checks<RunOptions> = { ...workerCallChecks, folder: required(aText) };

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function runPlan(kit: Depthkit, plan: Plan, options: RunOptions): Promise<RunRecord> {
  checkArgument("runPlan", "kit", kit, anInstance(Depthkit, "a Depthkit, as Depthkit.start() gives it"));
  const parsed = parseParams("The plan", planSchema, plan);
  checkOptions("runPlan", options, runChecks);
  return withTimeLimit("runPlan", options, (signal) => run(kit, parsed, { ...options, signal }));
}

async function run(
  kit: Depthkit,
  parsed: z.output<typeof planSchema>,
  options: RunOptions,
): Promise<RunRecord> {
  const { folder, ...call } = options;
  const { model: wanted, calibration, choose } = parsed;
  const startedAt = new Date().toISOString();
  await using journal = await StepsFile.open(join(folder, "journal.jsonl"));
  const { source, ...loadOptions } = wanted;
  await using model = await kit.loadModel(source, { ...loadOptions, ...call });
  const { data, ...corpusOptions } = calibration;
  await using corpus = await model.loadCorpus(data, { ...corpusOptions, ...call });
  // Everything that decides a step's outcome is in its key; a change in anything is a new step.
  // The calibration's tokens tell tokenisers apart, which the weights do not.
  const subject = { ...modelKey(model.info), tokens: corpus.info.tokensDigest };
  const measured = await journal.step({ step: "influence", subject }, influenceDataSchema, async () =>
    (await model.influence(corpus, call)).toJSON(),
  );
  const influence = new Influence(measured, choose.units, choose.metric);
  const text = await textDigest(kit.connection, parsed.evaluation.data);
  const removals: Removal[] = [];
  for (const count of [0, ...choose.counts]) {
    const removed = influence.lowest(count);
    const key = {
      removed,
      evaluation: parsed.evaluation,
      text,
      prompts: parsed.prompts,
      generation: parsed.generation,
      subject,
    };
    removals.push(
      await journal.step(key, removalSchema, () =>
        evaluate(model, removed, parsed, { journal: join(folder, "items"), ...call }),
      ),
    );
  }
  const record: RunRecord = {
    recordVersion: 2,
    depthkitVersion: packageVersion(),
    pythonVersion: kit.pythonVersion,
    startedAt,
    finishedAt: new Date().toISOString(),
    plan: parsed,
    model: model.info,
    corpus: corpus.info,
    influence: measured,
    removals,
  };
  writeRecord(join(folder, "record.json"), recordSchema.parse(record));
  return record;
}

async function evaluate(
  model: Model,
  removed: readonly string[],
  plan: Plan,
  { journal, ...call }: CallOptions & { journal: string },
): Promise<Removal> {
  const subnetwork = model.without(removed);
  const { data, ...options } = plan.evaluation;
  const [{ scores }] = await subnetwork.evaluate([{ kind: "perplexity", data, ...options }], {
    journal,
    ...call,
  });
  const generation =
    plan.prompts.length === 0
      ? null
      : await subnetwork.generate(plan.prompts, { ...plan.generation, ...call });
  return { removed: [...subnetwork.removed], perplexity: scores, generation };
}
