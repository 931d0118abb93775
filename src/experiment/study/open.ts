/** What a plan names, opened for one of its models, before anything takes long: text, questions, costs. */
import { DepthkitError } from "../../errors.ts";
import { modelKey } from "../../evaluation/keys.ts";
import { type TextData, textDigest } from "../../evaluation/text-data.ts";
import { Corpus } from "../../model/corpus.ts";
import type { Depthkit } from "../../model/depthkit.ts";
import type { GenerationTask } from "../../model/generation-task.ts";
import type { Model } from "../../model/model.ts";
import type { Bounds } from "../../model/search/bounds.ts";
import { FitInfluence } from "../../model/search/fit-influence.ts";
import { sharedNote } from "../../model/search/text-parts.ts";
import type { Task } from "../../model/task.ts";
import type { TaskData } from "../../model/task-data.ts";
import type { Fault } from "../../options.ts";
import { checkUnits } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { probe } from "../probes.ts";
import { boundsOf } from "./bounds.ts";
import type { FaultList } from "./fault-list.ts";
import type {
  SettledCalibration,
  SettledEvaluation,
  SettledModel,
  SettledPlan,
  SettledRanking,
} from "./plan.ts";
import { policyOf } from "./policed.ts";

/** A model with its text and its questions. Closing the model gives all of it back. */
export interface OpenModel {
  readonly name: string;
  readonly model: Model;
  /** All of the model that a step on it rests on. */
  readonly key: object;
  readonly conditions: readonly Condition[];
  readonly evaluations: readonly OpenEvaluation[];
  /** Questions that decide a ranking, by its name. */
  readonly deciding: ReadonlyMap<string, Task>;
  /** What the plan's format leaves of a ranking's units, by its name; none where there is no format. */
  readonly bounds: ReadonlyMap<string, Bounds>;
  /** What has to be known of its texts. */
  readonly notes: readonly string[];
}

/** One draw of one calibration text. */
export interface Condition {
  readonly calibration: SettledCalibration;
  readonly draw: number;
  /** What units are measured and repairs fitted on. */
  readonly measured: Corpus;
  /** What searches decide on, growing; empty where none does. */
  readonly deciding: readonly Corpus[];
  readonly influence: FitInfluence;
  readonly key: object;
}

/** What one evaluation asks. */
export interface OpenEvaluation {
  readonly evaluation: SettledEvaluation;
  readonly data: Corpus | Task | GenerationTask | undefined;
  /** Of what is read without being held, what tells it apart: a file keeps its name when its text changes. */
  readonly digest?: string;
}

/** Undefined where the model itself could not be loaded. */
export async function openModel(
  kit: Depthkit,
  plan: SettledPlan,
  settled: SettledModel,
  list: FaultList,
  call: CallOptions,
): Promise<OpenModel | undefined> {
  const { name, source, ...options } = settled;
  const model = await list.of("model", () => kit.loadModel(source, { ...options, ...call }));
  if (model === undefined) return undefined;
  try {
    const conditions: Condition[] = [];
    for (const calibration of plan.calibrations) {
      for (let draw = 0; draw < plan.draws; draw++) {
        const opened = await list.of("calibration", () =>
          openCondition(model, plan, calibration, draw, call),
        );
        if (opened !== undefined) conditions.push(opened);
      }
    }
    const evaluations: OpenEvaluation[] = [];
    for (const evaluation of plan.evaluations) {
      const opened = await list.of(list.pathOf(evaluation), () => openEvaluation(model, evaluation, call));
      if (opened !== undefined) evaluations.push(opened);
      list.faults.push(...noSuchBlocks(evaluation, list.pathOf(evaluation), model.depth));
    }
    const deciding = new Map<string, Task>();
    for (const ranking of plan.rankings) {
      const path = list.pathOf(ranking);
      list.faults.push(...tooMany(plan, ranking, path, model.depth));
      if (ranking.by === "order") {
        const { order } = ranking;
        const units = Array.isArray(order) ? order : Object.keys(order);
        await list.of(`${path}.order`, async () => checkUnits(units, model.depth));
      }
      if (!("on" in ranking) || ranking.on === undefined) continue;
      const { data, ...asked } = ranking.on;
      const task = await list.of(`${path}.on`, () => model.loadTask(data as TaskData, { ...asked, ...call }));
      if (task !== undefined) deciding.set(ranking.name, task);
    }
    const bounds = await boundsOf(model, plan, list, call);
    const { result: tokenizer } = await model.connection.call("model.tokenizer", {
      model: model.handle.on(model.connection),
    });
    // The same weights write otherwise with another tokenizer.
    const key = { ...modelKey(model.info), tokenizer: tokenizer.digest };
    const notes = await sharedText(model, conditions, evaluations, call);
    return { name, model, key, conditions, evaluations, deciding, bounds, notes };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** Texts of evaluations that stand in a calibration's text too. */
async function sharedText(
  model: Model,
  conditions: readonly Condition[],
  evaluations: readonly OpenEvaluation[],
  call: CallOptions,
): Promise<string[]> {
  const notes = new Set<string>();
  for (const { evaluation, data } of evaluations) {
    if (!(data instanceof Corpus)) continue;
    for (const { calibration, measured, deciding } of conditions) {
      for (const decided of [measured, ...deciding.slice(-1)]) {
        const parts = [
          { name: calibration.name, data: decided },
          { name: evaluation.name, data },
        ] as const;
        const note = await sharedNote(model.subject, ...parts, call);
        if (note !== undefined) notes.add(note);
      }
    }
  }
  return [...notes];
}

async function openCondition(
  model: Model,
  plan: SettledPlan,
  calibration: SettledCalibration,
  draw: number,
  call: CallOptions,
): Promise<Condition> {
  const { name: _, data, sequences, choose, ...options } = calibration;
  const decides = plan.rankings.some((ranking) => ranking.by === "search" && ranking.on === undefined);
  const { fit, choose: deciding } = decides
    ? await model.splitText(data, { ...options, fit: sequences, choose, draw, ...call })
    : { fit: undefined, choose: [] };
  const skip = draw * sequences;
  const measured = fit ?? (await model.loadCorpus(data, { ...options, sequences, skip, ...call }));
  const key = { measured: measured.key, deciding: deciding.map((corpus) => corpus.key) };
  const influence = new FitInfluence(model.subject, measured);
  return { calibration, draw, measured, deciding, influence, key };
}

export async function openEvaluation(
  model: Model,
  evaluation: SettledEvaluation,
  call: CallOptions,
): Promise<OpenEvaluation> {
  switch (evaluation.kind) {
    case "perplexity": {
      const { data, separator, bos, maxChunks } = evaluation;
      if (evaluation.policy !== undefined || !inChunks(evaluation)) {
        return { evaluation, data: undefined, digest: await textDigest(model.connection, data) };
      }
      const length = chunkOf(evaluation, model);
      const options = { length, separator, bos, ...call };
      return { evaluation, data: await atMost(model, data, maxChunks, options) };
    }
    case "questions": {
      const { kind: _, name: __, where: ___, policy: ____, data, ...options } = evaluation;
      return { evaluation, data: await model.loadTask(data as TaskData, { ...options, ...call }) };
    }
    case "written": {
      const { data, prompt, target, score, shots, shotsFrom, answerPrefix, separator, limit } = evaluation;
      const options = { prompt, target, score, shots, answerPrefix, separator, limit, ...call };
      const examples = shotsFrom === undefined ? {} : { shotsFrom: shotsFrom as TaskData };
      return {
        evaluation,
        data: await model.loadGenerationTask(data as TaskData, { ...options, ...examples }),
      };
    }
    case "probe": {
      const { items, shots, seed } = evaluation;
      const { data, options } = probe(evaluation.probe, { items, shots, seed });
      return { evaluation, data: await model.loadGenerationTask(data, { ...options, ...call }) };
    }
    case "lm-eval":
    case "profile":
      return { evaluation, data: undefined };
  }
}

type PerplexityEvaluation = Extract<SettledEvaluation, { kind: "perplexity" }>;

/** Whether chunks stand beside each other and the text is as it is: then it is a corpus, as any other. */
const inChunks = ({ rows, stride, chunk }: PerplexityEvaluation): boolean =>
  rows === "raw" && (stride === null || stride === chunk);

const chunkOf = ({ chunk }: PerplexityEvaluation, { info }: Model): number =>
  chunk ?? Math.min(2048, info.contextLength ?? 2048);

/** A text that has fewer sequences is taken whole. */
async function atMost(
  model: Model,
  data: TextData,
  sequences: number | null,
  options: CallOptions & { length: number },
): Promise<Corpus> {
  try {
    return await model.loadCorpus(data, { ...options, sequences });
  } catch (error) {
    if (sequences === null || !(error instanceof DepthkitError) || !error.is("NOT_ENOUGH_TEXT")) throw error;
    return await model.loadCorpus(data, { ...options, sequences: null });
  }
}

/** Of a policy. */
function noSuchBlocks(evaluation: SettledEvaluation, path: string, depth: number): Fault[] {
  const policy = policyOf(evaluation);
  if (policy === undefined) return [];
  const fault = (key: string, words: string): Fault[] => [{ path: `${path}.policy.${key}`, words }];
  if (policy.kind === "fixed-skipping") {
    const strange = policy.blocks.filter((block) => block >= depth);
    const twice = new Set(policy.blocks).size < policy.blocks.length;
    if (strange.length === 0 && !twice) return [];
    return fault("blocks", `[${policy.blocks}]; expected each block once, from 0 to ${depth - 1}.`);
  }
  const { start, end } = policy;
  if (start < end && end <= depth) return [];
  return fault("end", `${end}; expected a block behind the start, ${start}, up to ${depth}.`);
}

/** Removals of more units than there are. */
function tooMany({ removals }: SettledPlan, ranking: SettledRanking, path: string, depth: number): Fault[] {
  if (!Array.isArray(removals)) return [];
  const most = playersIn(ranking, depth);
  return removals
    .filter((count) => count > most)
    .map((count) => ({
      path,
      words: `removals ask for ${count} units, and "${ranking.name}" has ${most} to remove.`,
    }));
}

function playersIn(ranking: SettledRanking, depth: number): number {
  if (ranking.by === "order") return Object.keys(ranking.order).length;
  const all = [ranking.units].flat().length * depth;
  return "candidates" in ranking ? Math.min(all, ranking.candidates ?? all) : all;
}
