import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CallOptions } from "../client/connection.ts";
import type { Depthkit } from "../client/depthkit.ts";
import { Influence } from "../client/influence.ts";
import type { Model } from "../client/model.ts";
import { DepthkitError } from "../errors.ts";
import { packageVersion } from "../worker/package-root.ts";
import { writeJson } from "../worker/write-json.ts";
import { Journal } from "./journal.ts";
import { type Plan, planSchema } from "./plan.ts";
import { influenceDataSchema, type Removal, type RunRecord, recordSchema, removalSchema } from "./record.ts";

export interface RunOptions extends CallOptions {
  /** Where `journal.jsonl` and `record.json` go. A run that was interrupted goes on from them. */
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
  mkdirSync(folder, { recursive: true });
  const journal = new Journal(join(folder, "journal.jsonl"));
  try {
    const { source, ...loadOptions } = wanted;
    await using model = await kit.loadModel(source, defined({ ...loadOptions, ...call }));
    const { data, ...corpusOptions } = calibration;
    await using corpus = await model.loadCorpus(defined(data), defined({ ...corpusOptions, ...call }));
    // Everything that decides a step's outcome is in its key; a change in anything is a new step.
    const subject = {
      version: packageVersion(),
      weights: model.info.weightsDigest,
      dtype: model.info.dtype,
      device: model.info.device,
      attention: model.info.attention,
    };
    const measured = await journal.step(
      { influence: corpus.info.tokensDigest, subject },
      influenceDataSchema,
      async () => (await model.influence(corpus, call)).toJSON(),
    );
    const influence = new Influence(measured, choose.units, choose.metric);
    const removals: Removal[] = [];
    for (const count of [0, ...choose.counts]) {
      const removed = influence.lowest(count);
      const key = {
        removed,
        evaluation: parsed.data.evaluation,
        files: fileDigests(parsed.data.evaluation.data),
        prompts: plan.prompts,
        generation: plan.generation,
        subject,
      };
      removals.push(
        await journal.step(key, removalSchema, () => evaluate(model, removed, parsed.data, call)),
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
  call: CallOptions,
): Promise<Removal> {
  const subnetwork = model.without(removed);
  const { data, ...options } = plan.evaluation;
  const perplexity = await subnetwork.perplexity(defined(data), defined({ ...options, ...call }));
  const generation =
    plan.prompts.length === 0
      ? null
      : await subnetwork.generate(plan.prompts, defined({ ...plan.generation, ...call }));
  return { removed: [...subnetwork.removed], perplexity, generation };
}

type Defined<T> = T extends string ? T : { [K in keyof T]: Exclude<T[K], undefined> };

/** A plan's absent options are absent in the call too. */
function defined<T extends string | object>(options: T): Defined<T> {
  if (typeof options === "string") return options as Defined<T>;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** A file keeps its name when its text changes; a step's key must not. */
function fileDigests(data: Plan["evaluation"]["data"]): string[] {
  if (typeof data === "object" && "texts" in data) return [];
  const paths = typeof data === "string" ? [data] : data.files;
  return paths.map((path) => {
    try {
      return createHash("sha256").update(readFileSync(path)).digest("hex");
    } catch (cause) {
      const message = `Reading the plan's evaluation text: ${path} cannot be read. Check the path.`;
      throw new DepthkitError("FILE_NOT_FOUND", message, { cause });
    }
  });
}
