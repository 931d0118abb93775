import { item } from "../../arrays.ts";
import { type EngineOptions, evaluateSubnetworks } from "../../evaluation/evaluate-subnetworks.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { CorpusInfo } from "../../protocol/corpus.ts";
import type { Measure } from "../../protocol/subnetworks.ts";
import type { TaskInfo } from "../../protocol/task.ts";
import type { Corpus } from "../corpus.ts";
import type { Repair } from "../repair.ts";
import type { Task } from "../task.ts";
import type { ModelSearchOptions } from "./options.ts";

/** What the choice is worth on one part of the data. */
export interface PartResult {
  readonly part: "choose" | "report";
  readonly data: CorpusInfo | TaskInfo;
  readonly measure: Measure;
  readonly whole: number;
  /** Without the removed units, nothing in their place. */
  readonly removed: number;
  /** With the winner's own repairs; null where none was asked for. */
  readonly repaired: number | null;
}

/** Measures a choice, bare and repaired, beside the whole model. */
export async function worthOn(
  on: Subject,
  [part, data]: readonly [PartResult["part"], Corpus | Task],
  choice: { readonly removed: readonly UnitName[]; readonly repairs: readonly Repair[] },
  options: EngineOptions & Pick<ModelSearchOptions, "value">,
): Promise<PartResult> {
  const { value, ...engine } = options;
  const measure = measureOn(data, value);
  const sets = [
    { removed: [], repairs: [] },
    { removed: choice.removed, repairs: [] },
    ...(choice.repairs.length === 0 ? [] : [choice]),
  ];
  const { scores } = await evaluateSubnetworks(on, data, () => sets, { measures: [measure], ...engine })
    .result;
  const [whole = Number.NaN, removed = Number.NaN, repaired = null] = scores.map(
    ({ values }) => values[measure] ?? Number.NaN,
  );
  return { part, data: data.info, measure, whole, removed, repaired };
}

/** The measure that decided, or where the data has it not, the data's first. */
function measureOn(data: Corpus | Task, value: ModelSearchOptions["value"]): Measure {
  const measures: readonly Measure[] = data.measures;
  return typeof value === "string" && measures.includes(value) ? value : item(measures, 0);
}

/** That a choice was made at another length than it is reported at. */
export function lengthNotes(choose: Corpus | Task, report: readonly (Corpus | Task)[]): string[] {
  if (!("length" in choose.info)) return [];
  const { length } = choose.info;
  const others = report.flatMap(({ info }) =>
    "length" in info && info.length !== length ? [info.length] : [],
  );
  if (others.length === 0) return [];
  return [
    `It was chosen on sequences of ${length} tokens and is reported on ones of ${others.join(", ")}; a ` +
      "choice can be another one at another length, so choose at the length that will be served.",
  ];
}
