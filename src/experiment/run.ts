import { join } from "node:path";
import { z } from "zod";
import type { CallOptions } from "../client/connection.ts";
import type { Depthkit } from "../client/depthkit.ts";
import { Influence } from "../client/influence.ts";
import type { Model } from "../client/model.ts";
import { textDigest, toDataSource } from "../client/text-data.ts";
import { modelKey } from "../client/value-key.ts";
import { DepthkitError } from "../errors.ts";
import { writeJson } from "../platform/json.ts";
import { packageVersion } from "../platform/package-root.ts";
import { Journal } from "./journal.ts";
import { type Plan, planSchema } from "./plan.ts";
import { influenceDataSchema, type Removal, type RunRecord, recordSchema, removalSchema } from "./record.ts";

export interface RunOptions extends CallOptions {
  /** Where `journal.jsonl`, `items/` and `record.json` go. A run that was interrupted goes on from them. */
  folder: string;
}

/**
 * Carries out a plan: measures influence on the calibration text, removes the units of least influence,
 * scores every subnetwork on the evaluation text and lets each continue the prompts.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a plan outside its schema, and whatever its steps throw
 */
export async function runPlan(
  kit: Depthkit,
  plan: Plan,
  { folder, ...call }: RunOptions,
): Promise<RunRecord> {
  const parsed = planSchema.safeParse(plan);
  if (!parsed.success)
    throw new DepthkitError("INVALID_ARGUMENT", `The plan: ${z.prettifyError(parsed.error)}`);
  const { model: wanted, calibration, choose } = parsed.data;
  const startedAt = new Date().toISOString();
  const journal = new Journal(join(folder, "journal.jsonl"));
  try {
    const { source, ...loadOptions } = wanted;
    await using model = await kit.loadModel(source, defined({ ...loadOptions, ...call }));
    const { data, ...corpusOptions } = calibration;
    await using corpus = await model.loadCorpus(defined(data), defined({ ...corpusOptions, ...call }));
    // Everything that decides a step's outcome is in its key; a change in anything is a new step.
    // The calibration's tokens tell tokenisers apart, which the weights do not.
    const subject = { ...modelKey(model.info), tokens: corpus.info.tokensDigest };
    const measured = await journal.step({ step: "influence", subject }, influenceDataSchema, async () =>
      (await model.influence(corpus, call)).toJSON(),
    );
    const influence = new Influence(measured, choose.units, choose.metric);
    const text = await textDigest(toDataSource(defined(parsed.data.evaluation.data)));
    const removals: Removal[] = [];
    for (const count of [0, ...choose.counts]) {
      const removed = influence.lowest(count);
      const key = {
        removed,
        evaluation: parsed.data.evaluation,
        text,
        prompts: plan.prompts,
        generation: plan.generation,
        subject,
      };
      removals.push(
        await journal.step(key, removalSchema, () =>
          evaluate(model, removed, parsed.data, { journal: join(folder, "items"), ...call }),
        ),
      );
    }
    const record: RunRecord = {
      recordVersion: 1,
      depthkitVersion: packageVersion(),
      pythonVersion: kit.pythonVersion,
      startedAt,
      finishedAt: new Date().toISOString(),
      plan: parsed.data,
      model: model.info,
      corpus: corpus.info,
      influence: measured,
      removals,
    };
    writeJson(join(folder, "record.json"), recordSchema.parse(record));
    return record;
  } finally {
    journal.close();
  }
}

async function evaluate(
  model: Model,
  removed: readonly string[],
  plan: Plan,
  { journal, ...call }: CallOptions & { journal: string },
): Promise<Removal> {
  const subnetwork = model.without(removed);
  const { data, ...options } = plan.evaluation;
  const [{ scores }] = await subnetwork.evaluate(
    [{ kind: "perplexity", data: defined(data), ...defined(options) }],
    { journal, ...call },
  );
  const generation =
    plan.prompts.length === 0
      ? null
      : await subnetwork.generate(plan.prompts, defined({ ...plan.generation, ...call }));
  return { removed: [...subnetwork.removed], perplexity: scores, generation };
}

type Defined<T> = T extends string ? T : { [K in keyof T]: Exclude<T[K], undefined> };

/** A plan's absent options are absent in the call too. */
function defined<T extends string | object>(options: T): Defined<T> {
  if (typeof options === "string") return options as Defined<T>;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}
