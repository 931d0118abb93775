import { atOnce } from "../at-once.ts";
import { DepthkitError, type ErrorCode } from "../errors.ts";
import { Corpus } from "../model/corpus.ts";
import { type RepairedSubnetwork, Subnetwork } from "../model/model.ts";
import { type RepairOptions, repairOptions } from "../model/repair.ts";
import {
  aFunction,
  anInstance,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  listOf,
  objectOf,
  required,
} from "../options.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../rpc/time-limit.ts";
import { isItsOwn } from "./own-fault.ts";

/** One way to repair, under the name it has in the table. */
export interface NamedRepair {
  name: string;
  /** Applied in turn, each on top of the one before: an emulated update, then LoRA. */
  steps: readonly RepairOptions[];
}

/** Scores by name, such as loss, perplexity and accuracy. */
export type Scores = Readonly<Record<string, number>>;

export interface CompareRepairsOptions extends CallOptions {
  repairs: readonly NamedRepair[];
  /** Scores a subnetwork, on data that no repair is fitted to. */
  evaluate: (subnetwork: Subnetwork, call: CallOptions) => Promise<Scores>;
  /** sha256 of the evaluation data, as results name it: refused where it is the corpus's own. */
  evaluationDigest?: string | undefined;
  /** Hears of each row as it is finished. */
  onRow?: ((row: RepairRow) => void) | undefined;
}

/** What one repair is worth, or why it could not be made. */
export interface RepairRow {
  /** The repair's name. */
  name: string;
  /** Of the repaired subnetwork; null where the repair could not be made. */
  scores: Scores | null;
  /** Why it could not be made or scored here, such as a fold with nothing before it; null where it was. */
  error: { code: ErrorCode; message: string } | null;
  /** Numbers added to the model in memory. */
  parameters: number;
  /** Tokens that the repairs measured or trained on. */
  tokens: number;
  /** Spent on the repairs, evaluation apart. */
  seconds: number;
  /** Highest memory while repairing. */
  peakBytes: number;
}

/** Repairs of the same gap beside each other. */
export interface RepairComparison {
  /** Scores of the whole model. */
  dense: Scores;
  /** Pruned and not repaired. */
  removed: Scores;
  /** One for each repair, in their order. */
  rows: RepairRow[];
  /** The repaired subnetworks, in the order of the rows; null where there is none. */
  subnetworks: (Subnetwork | null)[];
}

const checks: Checks<CompareRepairsOptions> = {
  ...workerCallChecks,
  repairs: required(
    listOf(
      objectOf({
        name: required(aText),
        steps: required(listOf(repairOptions)),
      } satisfies Checks<NamedRepair>),
    ),
  ),
  evaluate: required(aFunction),
  evaluationDigest: aText,
  onRow: aFunction,
};

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function compareRepairs(
  pruned: Subnetwork,
  corpus: Corpus,
  options: CompareRepairsOptions,
): Promise<RepairComparison> {
  checkArgument("compareRepairs", "pruned", pruned, anInstance(Subnetwork, "a subnetwork"));
  checkArgument("compareRepairs", "corpus", corpus, anInstance(Corpus, "a corpus"));
  checkOptions("compareRepairs", options, checks);
  const { repairs, evaluationDigest } = options;
  if (evaluationDigest === corpus.info.data.digest) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Comparing repairs on the text they are fitted to (sha256 ${evaluationDigest.slice(0, 12)}) says ` +
        `nothing; use other text.`,
    );
  }
  const names = repairs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new DepthkitError("INVALID_ARGUMENT", `Comparing repairs: two of them are named "${twice}".`);
  }
  return withTimeLimit("compareRepairs", options, (signal) =>
    compare(pruned, corpus, { ...options, signal }),
  );
}

async function compare(
  pruned: Subnetwork,
  corpus: Corpus,
  options: CompareRepairsOptions,
): Promise<RepairComparison> {
  const { repairs, evaluate, signal, onProgress, timeoutMs, onRow } = options;
  const call = { signal, onProgress, timeoutMs };
  const dense = await evaluate(pruned.model, call);
  const removed = await evaluate(pruned, call);
  const most = pruned.model.trainingsAtOnce;
  const made = await atOnce(
    repairs,
    most,
    async (repair, stop) => {
      const found = await rowOf(repair, pruned, corpus, evaluate, { ...call, signal: stop });
      onRow?.(found.row);
      return found;
    },
    signal,
  );
  return {
    dense,
    removed,
    rows: made.map(({ row }) => row),
    subnetworks: made.map(({ subnetwork }) => subnetwork),
  };
}

async function rowOf(
  { name, steps }: NamedRepair,
  pruned: Subnetwork,
  corpus: Corpus,
  evaluate: CompareRepairsOptions["evaluate"],
  call: CallOptions,
): Promise<{ row: RepairRow; subnetwork: Subnetwork | null }> {
  let subnetwork: Subnetwork | null = pruned;
  const reports: RepairedSubnetwork["report"][] = [];
  let [scores, error]: [Scores | null, RepairRow["error"]] = [null, null];
  try {
    for (const step of steps) {
      const repaired: RepairedSubnetwork = await subnetwork.repair(corpus, { ...call, ...step });
      reports.push(repaired.report);
      subnetwork = repaired;
    }
    scores = await evaluate(subnetwork, call);
  } catch (thrown) {
    if (!isItsOwn(thrown)) throw thrown;
    error = { code: thrown.code, message: thrown.message };
    subnetwork = null;
  }
  const total = (count: (report: RepairedSubnetwork["report"]) => number) =>
    reports.reduce((sum, report) => sum + count(report), 0);
  const row = {
    name,
    scores,
    error,
    parameters: total((report) => report.repairs.reduce((sum, repair) => sum + repair.parameters, 0)),
    tokens: total((report) => report.tokens + (report.training?.tokens ?? 0)),
    seconds: total((report) => report.seconds),
    peakBytes: Math.max(0, ...reports.map((report) => report.peakBytes)),
  };
  return { row, subnetwork };
}
