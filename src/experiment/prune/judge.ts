import { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import type { Subnetwork } from "../../model/model.ts";
import type { Workspace } from "./workspace.ts";

/** Losses on the held-out part, a row per subnetwork, a number per sequence, in nats per token. */
export async function heldOutLosses(
  { model, sequences, call }: Workspace,
  subnetworks: readonly Subnetwork[],
  what: string,
): Promise<number[][]> {
  const began = performance.now();
  const rows: number[][] = subnetworks.map(() => []);
  for (const [at, sequence] of sequences.entries()) {
    call.onProgress?.({
      phase: `measuring ${what}`,
      done: at,
      total: sequences.length,
      unit: "sequences",
      seconds: (performance.now() - began) / 1000,
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

/** The whole model's, measured once. */
export async function wholeLosses(work: Workspace): Promise<readonly number[]> {
  const { model, steps, key } = work;
  return await steps.step({ step: "whole", of: key }, z.array(z.number()), async () => {
    const [losses = []] = await heldOutLosses(work, [model], "the whole model");
    return losses;
  });
}
