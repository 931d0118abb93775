/**
 * A plan as it was written becomes a settled one: grids spelled out, defaults filled in, everything named.
 */
import type { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { didYouMean, type Fault, faultsOf, isObject } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { repairMethod } from "../../protocol/repair.ts";
import { fits } from "../../rpc/parse-params.ts";
import { rankingIn, readRanking } from "../ranking-file.ts";
import { spellOut } from "./grids.ts";
import { calibrationName, evaluationName, modelName, rankingName, repairName, takenName } from "./names.ts";
import {
  calibrationEntry,
  evaluationEntry,
  modelEntry,
  planSchema,
  rankingEntry,
  repairEntry,
  type SettledPlan,
  type Where,
} from "./plan.ts";
import { policyOf } from "./policed.ts";

/** What could be made of a plan, and all that is wrong with it as far as can be told without a model. */
export interface Settled {
  /** Entries with faults are left out. */
  readonly plan: SettledPlan;
  readonly faults: readonly Fault[];
  readonly written: Written;
}

/** Where each entry of a settled plan was written: a grid is one entry there, and those with faults count. */
export type Written = ReadonlyMap<object, string>;

const entries = ["model", "calibration", "rankings", "repairs", "evaluations"] as const;

export function settlePlan(given: unknown): Settled {
  const faults: Fault[] = [];
  const plan: Readonly<Record<string, unknown>> = isObject(given) ? given : {};
  if (!isObject(given)) faults.push(...faultsOf(given, fits(planSchema), ""));
  const about = planSchema.omit({
    model: true,
    calibration: true,
    rankings: true,
    repairs: true,
    evaluations: true,
  });
  const rest = Object.fromEntries(Object.entries(plan).filter(([key]) => !isEntry(key)));
  const parsed = parse(about, rest, "", faults, entries);
  const list = (key: "rankings" | "repairs" | "evaluations", optional = false): unknown[] => {
    const value = plan[key];
    if (Array.isArray(value) && (value.length > 0 || optional)) return value;
    if (!optional || value !== undefined) {
      const said = value === undefined ? "it is missing; expected" : "expected";
      faults.push({ path: key, words: `${said} a list with one entry or more.` });
    }
    return [];
  };
  const written = new Map<object, string>();
  const read = <T extends object>(
    path: string,
    value: unknown,
    as: (spelled: unknown, path: string) => T | undefined,
  ) => {
    const found = named(path, value, as, faults);
    for (const entry of found) written.set(entry, path);
    return found;
  };

  const settled: SettledPlan = {
    removals: parsed?.removals ?? [],
    draws: parsed?.draws ?? 1,
    seed: parsed?.seed ?? 0,
    ...(parsed?.title === undefined ? {} : { title: parsed.title }),
    ...(parsed?.claims === undefined ? {} : { claims: parsed.claims }),
    ...(parsed?.exportable === undefined ? {} : { exportable: parsed.exportable }),
    ...(parsed?.texts === undefined ? {} : { texts: parsed.texts }),
    models: read("model", plan["model"], (value, path) => {
      const found = parse(modelEntry, value, path, faults);
      const whole = typeof found === "string" ? modelEntry.options[1].parse({ source: found }) : found;
      return whole && { ...whole, name: whole.name ?? modelName(whole) };
    }),
    calibrations: read("calibration", plan["calibration"], (value, path) => {
      const found = parse(calibrationEntry, value, path, faults);
      return found && { ...found, name: found.name ?? calibrationName(found) };
    }),
    rankings: list("rankings").flatMap((entry, at) =>
      read(`rankings.${at}`, entry, (value, path) => {
        const found = parse(rankingEntry, value, path, faults);
        const named = found && { ...found, name: found.name ?? rankingName(found) };
        return named?.by === "order" ? withOrder(named, `${path}.order`, faults) : named;
      }),
    ),
    repairs: list("repairs", true).flatMap((entry, at) =>
      read(`repairs.${at}`, entry, (value, path) => {
        const one = isObject(value) && "method" in value;
        if (one && ("where" in value || "name" in value)) {
          const words =
            "a method alone has neither name nor where. Write { name, where, steps: [{ method, ... }] }.";
          faults.push({ path, words });
          return undefined;
        }
        const method = one ? parse(repairMethod, value, path, faults) : undefined;
        const found = one ? method && { steps: [method] } : parse(repairEntry, value, path, faults);
        if (found === undefined) return undefined;
        const whole: z.output<typeof repairEntry> = found;
        for (const [place, step] of whole.steps.entries()) {
          checkFolder(step, one ? path : `${path}.steps.${place}`, faults);
        }
        return { ...whole, name: whole.name ?? repairName(whole.steps) };
      }),
    ),
    evaluations: list("evaluations").flatMap((entry, at) =>
      read(`evaluations.${at}`, entry, (value, path) => {
        const found = parse(evaluationEntry, withOneMode(value), path, faults);
        if (found === undefined || unfit(found, path, faults)) return undefined;
        return { ...found, name: found.name ?? evaluationName(found) };
      }),
    ),
  };
  return { plan: settled, faults: [...faults, ...faultsAcross(settled, written)], written };
}

const isEntry = (key: string): boolean => entries.some((entry) => entry === key);

/** Faults are gathered; undefined where there was one. */
function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: string,
  faults: Fault[],
  also: readonly string[] = [],
): z.output<S> | undefined {
  const parsed = schema.safeParse(value);
  const found =
    value === undefined ? [{ path, words: "it is missing." }] : faultsOf(value, fits(schema, also), path);
  if (parsed.success && found.length === 0) return parsed.data;
  for (const fault of found) {
    // Entries of a grid share what is wrong with all of them.
    if (!faults.some((one) => one.path === fault.path && one.words === fault.words)) faults.push(fault);
  }
  return undefined;
}

/** What an order's file says stands in the plan from here on: the file may be another one later. */
function withOrder<R extends { readonly order: string | readonly string[] }>(
  ranking: R,
  path: string,
  faults: Fault[],
): (Omit<R, "order"> & { order: UnitName[] | Record<string, number> }) | undefined {
  try {
    const given = ranking.order;
    const { order, scores } = typeof given === "string" ? readRanking(given) : rankingIn("the plan", given);
    const group = order.find((unit) => unit.includes("+"));
    if (group === undefined) return { ...ranking, order: scores ?? ([...order] as UnitName[]) };
    faults.push({
      path,
      words: `it has the group ${group}; a plan removes units one by one, so name its units.`,
    });
  } catch (error) {
    if (!(error instanceof DepthkitError)) throw error;
    faults.push({ path, words: error.message });
  }
  return undefined;
}

/** Every entry that a written one stands for; those of a grid are told apart by what they took from it. */
function named<T>(
  path: string,
  written: unknown,
  read: (value: unknown, path: string) => T | undefined,
  faults: Fault[],
): T[] {
  const spelled = spellOut(written);
  if (spelled.length === 0) {
    faults.push({ path, words: "a grid has no values; write { each: [...] } with one or more." });
  }
  const given = isObject(written) && typeof written["name"] === "string";
  return spelled.flatMap(({ value, taken }) => {
    const told =
      given && taken.length > 0 && isObject(value)
        ? { ...value, name: [value["name"], ...taken.map(takenName)].join(" ") }
        : value;
    return read(told, path) ?? [];
  });
}

/** What entries say of each other. */
function faultsAcross(plan: SettledPlan, written: Written): Fault[] {
  const { rankings, repairs, evaluations, texts } = plan;
  const twice = [
    ...twiceNamed("model", plan.models),
    ...twiceNamed("calibration", plan.calibrations),
    ...twiceNamed("rankings", rankings),
    ...twiceNamed("repairs", [...repairs, { name: "none" }]),
    ...twiceNamed("evaluations", evaluations),
  ];
  const known = {
    rankings: rankings.map(({ name }) => name),
    repairs: ["none", ...repairs.map(({ name }) => name)],
    counts: Array.isArray(plan.removals) ? [0, ...plan.removals] : undefined,
  };
  const wheres = [
    ...[...repairs, ...evaluations].map((entry) => ({
      where: entry.where,
      path: `${written.get(entry)}.where`,
    })),
    { where: texts?.where, path: "texts.where" },
  ];
  const strangers = wheres.flatMap(({ where, path }) => strangersIn(where, path, known));
  return [...twice, ...strangers];
}

/** A policy is timed in one mode, and no other is measured unasked. */
const withOneMode = (value: unknown): unknown =>
  isObject(value) && value["kind"] === "profile" && value["policy"] !== undefined && !("modes" in value)
    ? { ...value, modes: ["masked"] }
    : value;

/** Whether an evaluation cannot be had under its policy, which is then noted. */
function unfit(evaluation: z.output<typeof evaluationEntry>, path: string, faults: Fault[]): boolean {
  const { kind } = evaluation;
  const policy = policyOf(evaluation);
  const found: Fault[] = [];
  if (policy?.kind === "prompt-skipping" && (kind === "perplexity" || kind === "questions")) {
    const words =
      `prompt-skipping tells reading from writing, and ${kind} reads a text whole. Ask for it in written, ` +
      "probe or profile.";
    found.push({ path: `${path}.policy.kind`, words });
  }
  if (kind === "perplexity" && evaluation.controls === true && policy?.kind !== "feed-forward-skipping") {
    const words = `there are controls of feed-forward-skipping alone, and the policy is ${policy?.kind ?? "none"}.`;
    found.push({ path: `${path}.controls`, words });
  }
  if (kind === "profile" && policy !== undefined && evaluation.modes.join() !== "masked") {
    const words = `[${evaluation.modes.join(", ")}]; under a policy nothing can be taken out: expected [masked].`;
    found.push({ path: `${path}.modes`, words });
  }
  faults.push(...found);
  return found.length > 0;
}

/** One folder for all subnetworks: each would find the checkpoints of the one before it. */
function checkFolder(
  step: SettledPlan["repairs"][number]["steps"][number],
  path: string,
  faults: Fault[],
): void {
  const folder = "training" in step ? step.training?.folder : undefined;
  if (folder === undefined || folder === null) return;
  const words = `${folder} would be shared by all subnetworks. Leave it out: a study keeps its own.`;
  faults.push({ path: `${path}.training.folder`, words });
}

function twiceNamed(path: string, list: readonly { readonly name: string }[]): Fault[] {
  const names = list.map(({ name }) => name);
  const again = [...new Set(names.filter((one, at) => names.indexOf(one) !== at))];
  return again.map((one) => ({ path, words: `two are called "${one}"; give each a name of its own.` }));
}

function strangersIn(
  where: Where,
  path: string,
  known: { rankings: readonly string[]; repairs: readonly string[]; counts: readonly number[] | undefined },
): Fault[] {
  const of = (key: "rankings" | "repairs") =>
    (where?.[key] ?? [])
      .filter((one) => !known[key].includes(one))
      .map((one) => ({
        path: `${path}.${key}`,
        words: `there is no "${one}"${didYouMean(one, known[key])}; there are ${known[key].join(", ")}.`,
      }));
  const { counts } = known;
  const numbers =
    where?.counts === undefined || counts === undefined
      ? []
      : where.counts
          .filter((one) => !counts.includes(one))
          .map((one) => ({
            path: `${path}.counts`,
            words: `${one} is none of the removals; they are ${counts.join(", ")}, 0 being the whole model.`,
          }));
  return [...of("rankings"), ...of("repairs"), ...numbers];
}
