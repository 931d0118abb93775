import { DepthkitError } from "../../errors.ts";
import type { Subnetwork } from "../../model/model.ts";
import { deviationOf, meanOf } from "../../selection/choice-certainty.ts";
import type { Workspace } from "./workspace.ts";

/** Losses on the held-out part, a row a subnetwork, a number a sequence, in nats a token. */
export async function heldOutLosses(
  { model, sequences, call }: Workspace,
  subnetworks: readonly Subnetwork[],
  what: string,
): Promise<number[][]> {
  const rows: number[][] = subnetworks.map(() => []);
  for (const [at, sequence] of sequences.entries()) {
    call.onProgress?.({
      phase: `measuring ${what}`,
      done: at,
      total: sequences.length,
      unit: "sequences",
      seconds: 0,
    });
    const { scores, notFinite } = await model.evaluateSubnetworks(sequence, subnetworks, {
      signal: call.signal,
      timeoutMs: call.timeoutMs,
    }).result;
    if (notFinite.length > 0) {
      throw new DepthkitError(
        "NOT_MEASURABLE",
        `Measuring ${what} on held-out text: its loss is not finite on sequence ${at}. Load the model as ` +
          "float32, or leave this contender out.",
        { details: { sequence: at } },
      );
    }
    for (const { index, values } of scores) rows[index]?.push(values.loss ?? Number.NaN);
  }
  return rows;
}

export interface Difference {
  readonly nats: number;
  readonly standardError: number;
}

/** How much higher the one's losses are, over the same sequences. */
export function differenceOf(losses: readonly number[], than: readonly number[]): Difference {
  const differences = losses.map((loss, at) => loss - (than[at] ?? Number.NaN));
  return {
    nats: meanOf(differences),
    standardError: deviationOf(differences) / Math.sqrt(differences.length),
  };
}
