import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import { anObject, aWhole, type Checks, checkOptions, required } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { lowerIsBetter } from "../../protocol/names.ts";
import { type CallOptions, callOf } from "../../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import { type ChoiceCertainty, choiceCertainty } from "../../selection/choice-certainty.ts";
import { type ChoiceComparison, compareChoices } from "../../selection/compare-choices.ts";
import { FitInfluence } from "./fit-influence.ts";
import type { ModelSearchOptions } from "./options.ts";
import { refuse } from "./refuse.ts";
import type { ModelSearch } from "./search.ts";
import type { SplitTextOptions, TextParts } from "./text-parts.ts";

/** A way to choose that is tried on every draw: a search without its text. */
export interface DrawnMethod
  extends Omit<ModelSearchOptions, "fit" | "choose" | "report" | "signal" | "onProgress" | "timeoutMs"> {}

export interface SearchDrawsOptions extends CallOptions {
  /** Kinds of text by name. Each draw of each is split by itself. */
  readonly texts: Readonly<Record<string, TextData>>;
  /** How each draw is split; `report` is at least 1. */
  readonly split: Omit<SplitTextOptions, "draw" | "signal" | "onProgress" | "timeoutMs">;
  /** Draws of each text; default 5. */
  readonly draws?: number | undefined;
  /** The ways to choose, by name: the first is compared with each other. */
  readonly methods: Readonly<Record<string, DrawnMethod>>;
}

/** What one way chose on one draw. */
export interface DrawResult<S> {
  readonly text: string;
  readonly draw: number;
  readonly search: ModelSearch<S>;
  /** On the reported part: the repaired model's measure where it was repaired. */
  readonly reported: number;
}

/** What one method found on each draw of the text. */
export interface MethodDraws<S> {
  readonly results: readonly DrawResult<S>[];
  /** How often each unit went, what draws have in common, and how far the reported measure spreads. */
  readonly certainty: ChoiceCertainty<UnitName>;
}

/** What several methods found on the same draws of the text. */
export interface SearchDraws<S> {
  readonly methods: Readonly<Record<string, MethodDraws<S>>>;
  /** The first method beside each other one, on the same draws: whether they differ beyond their noise. */
  readonly comparisons: readonly ChoiceComparison[];
}

/** What the draws need of a model. */
export interface Searchable<S> {
  readonly subject: Subject;
  splitText(data: TextData, options: SplitTextOptions): Promise<TextParts>;
  /** `known`: influence on the search's `fit`. */
  search(options: ModelSearchOptions, known: FitInfluence | undefined): Promise<ModelSearch<S>>;
}

const drawsChecks: Checks<SearchDrawsOptions> = {
  ...workerCallChecks,
  texts: required(anObject),
  split: required(anObject),
  draws: aWhole(2),
  methods: required(anObject),
};

/**
 * The same choices over draws of text: a difference between two ways to choose is one only where it is larger
 * than what another draw of calibration text makes of either (arXiv 2604.24938).
 */
export async function searchDraws<S extends AsyncDisposable>(
  model: Searchable<S>,
  options: SearchDrawsOptions,
): Promise<SearchDraws<S>> {
  checkOptions("searchDraws", options, drawsChecks);
  return withTimeLimit("searchDraws", options, (signal) => drawAll(model, { ...options, signal }));
}

async function drawAll<S extends AsyncDisposable>(
  model: Searchable<S>,
  options: SearchDrawsOptions,
): Promise<SearchDraws<S>> {
  const { texts, split, draws = 5, methods } = options;
  const call = callOf(options);
  const names = Object.keys(methods);
  if (names.length === 0 || Object.keys(texts).length === 0) {
    refuse("draws need at least one text and one method");
  }
  if (!((split.report ?? 0) >= 1))
    refuse("draws are compared by their reported part; let split.report be 1 or more");
  const found = new Map<string, DrawResult<S>[]>(names.map((name) => [name, []]));
  for (const [text, data] of Object.entries(texts)) {
    for (let draw = 0; draw < draws; draw++) {
      await using parts = await model.splitText(data, { ...split, draw, ...call });
      const { fit, choose, report } = parts;
      // All methods go by the same influence, so it is measured once per draw.
      const known = fit && new FitInfluence(model.subject, fit);
      for (const name of names) {
        const method = methods[name] as DrawnMethod;
        const search = await model.search({ ...method, fit, choose, report, ...call }, known);
        const part = item(search.parts, 1);
        found.get(name)?.push({ text, draw, search, reported: part.repaired ?? part.removed });
        // What went is kept; the repairs of a draw are not needed any more.
        await search.subnetwork[Symbol.asyncDispose]();
      }
    }
  }
  const results = (name: string) => found.get(name) ?? [];
  const [first = "", ...others] = names;
  return {
    methods: Object.fromEntries(names.map((name) => [name, summary(results(name))])),
    comparisons: others.map((name) =>
      compareChoices(
        { name: first, results: worths(results(first)) },
        { name, results: worths(results(name)) },
      ),
    ),
  };
}

function summary<S>(results: readonly DrawResult<S>[]): MethodDraws<S> {
  const { kept, removed } = item(results, 0).search;
  const players = [...kept, ...removed];
  const choices = results.map(({ search }) => search.removed);
  return {
    results,
    certainty: choiceCertainty({ players, choices, results: results.map((one) => one.reported) }),
  };
}

/** Higher is better. */
function worths<S>(results: readonly DrawResult<S>[]): number[] {
  return results.map(({ search, reported }) => {
    const { measure } = item(search.parts, 1);
    return lowerIsBetter.has(measure) ? -reported : reported;
  });
}
