import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { evaluateSubnetworks, type MeasuredSubnetwork } from "../../evaluation/evaluate-subnetworks.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { EngineParams } from "../../evaluation/subnetworks.ts";
import type { Measure } from "../../protocol/subnetworks.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { Corpus } from "../corpus.ts";
import type { Task } from "../task.ts";
import type { RoutePrompt } from "./prompts.ts";

/** How the engine works on it. */
export type RoutingEngine = Omit<EngineParams, "scoredPositions">;

/**
 * What each mask gets on every sequence of a corpus behind the tokens that choose its route, or on every item
 * of a task: a row per sequence, a column per mask.
 *
 * @throws DepthkitError INVALID_ARGUMENT where sequences are of different length, or all of them is prompt;
 * NOT_MEASURABLE
 */
export async function bySequence(
  on: Subject,
  data: Corpus | Task,
  masks: readonly MeasuredSubnetwork[],
  { prompt, measure, ...options }: { prompt: RoutePrompt; measure: Measure } & RoutingEngine & CallOptions,
): Promise<number[][]> {
  const scoredPositions = data instanceof Corpus ? { last: behindPrompt(data, prompt) } : {};
  const asked = { measures: [measure], bySequence: true, scoredPositions, ...options };
  const { scores } = await evaluateSubnetworks(on, data, () => masks, asked).result;
  const columns = scores.map(({ bySequence }) => Array.from(bySequence?.[measure] ?? []));
  for (const [mask, column] of columns.entries()) {
    const at = column.findIndex((value) => !Number.isFinite(value));
    if (at < 0 && column.length > 0) continue;
    throw new DepthkitError(
      "NOT_MEASURABLE",
      `Routing: the ${measure} of sequence ${at + 1} without ${item(masks, mask).removed.join(", ")} is ` +
        `${column[at]}, and only finite numbers can be compared. Load the model in a wider dtype.`,
      { details: { measure, sequence: at } },
    );
  }
  return item(columns, 0).map((_, sequence) => columns.map((column) => item(column, sequence)));
}

/** How many positions of each sequence are scored. */
function behindPrompt({ info }: Corpus, prompt: RoutePrompt): number {
  const { sequences, length, tokens } = info;
  if (tokens !== sequences * length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Routing: the corpus has ${sequences} sequences of up to ${length} tokens, ${tokens} in all. What ` +
        "stands behind the prompt is scored, as much of each; load it packed, so that all are of one length.",
    );
  }
  if (length > prompt.tokens) return length - prompt.tokens;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Routing: the first ${prompt.tokens} tokens choose the route and what follows is scored; sequences of ` +
      `${length} tokens have nothing left. Load longer ones.`,
  );
}
