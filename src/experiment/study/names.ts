/** What an entry of a plan is called where it does not say. */
import { basename, extname } from "node:path";
import type { z } from "zod";
import { isObject } from "../../options.ts";
import type { rankingEntry, SettledCalibration, SettledEvaluation, SettledModel } from "./plan.ts";
import { policyOf } from "./policed.ts";

type Unnamed<T> = T extends unknown ? Omit<T, "name"> : never;

export const modelName = ({ source }: Unnamed<SettledModel>): string => withoutEnding(source);
export const calibrationName = ({ data }: Unnamed<SettledCalibration>): string => textName(data);

export function rankingName(ranking: z.output<typeof rankingEntry>): string {
  switch (ranking.by) {
    case "influence":
      return joined(ranking.metric, unitsName(ranking.units), ranking.of === "block" ? "of blocks" : "");
    case "leave-one-out":
      return joined("leave-one-out", unitsName(ranking.units), byName(ranking.on));
    case "values":
      return joined(targetName(ranking.target), unitsName(ranking.units), byName(ranking.on));
    case "search":
      return joined(
        ranking.recipe ?? ranking.strategy ?? "greedy",
        ranking.recipe === undefined ? (ranking.scores?.metric ?? "") : "",
        unitsName(ranking.units),
        ranking.repair === undefined ? "" : "under repair",
        byName(ranking.on),
      );
    case "order":
      return typeof ranking.order === "string" ? withoutEnding(ranking.order) : "order";
  }
}

export const repairName = (steps: readonly { method: string; rank?: number | undefined }[]): string =>
  steps.map(({ method, rank }) => joined(method, rank === undefined ? "" : String(rank))).join(" + ");

export function evaluationName(evaluation: Unnamed<SettledEvaluation>): string {
  const policy = policyOf(evaluation);
  return joined(dataName(evaluation), policy === undefined ? "" : `under ${policy.kind}`);
}

function dataName(evaluation: Unnamed<SettledEvaluation>): string {
  switch (evaluation.kind) {
    case "perplexity":
      return textName(evaluation.data);
    case "questions":
    case "written":
      return rowsName(evaluation.data);
    case "probe":
      return evaluation.probe;
    case "lm-eval":
    case "profile":
      return evaluation.kind;
  }
}

/** A value that a grid gave, in a name. */
export function takenName(value: unknown): string {
  if (!isObject(value)) return Array.isArray(value) ? value.map(takenName).join("+") : String(value);
  return Object.values(value).map(takenName).join(" ");
}

function targetName(target: "shapley" | { readonly horizon: number } | undefined): string {
  if (target === "shapley") return target;
  return target === undefined ? "horizon" : `horizon ${target.horizon}`;
}

function textName(data: SettledCalibration["data"]): string {
  if (typeof data === "string") return withoutEnding(data);
  return "files" in data ? data.files.map(withoutEnding).join("+") : "texts";
}

function rowsName(data: string | readonly string[] | object): string {
  if (typeof data === "string") return withoutEnding(data);
  return Array.isArray(data) ? (data as readonly string[]).map(withoutEnding).join("+") : "rows";
}

const byName = (on: { readonly data: Parameters<typeof rowsName>[0] } | undefined): string =>
  on === undefined ? "" : `on ${rowsName(on.data)}`;

function unitsName(units: string | readonly string[]): string {
  const name = [units].flat().join("+");
  return name === "block" ? "" : name;
}

/** Of a path, what stands before its endings. */
function withoutEnding(path: string): string {
  const file = basename(path).replace(/\.gz$/, "");
  return basename(file, extname(file)) || path;
}

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== "").join(" ");
