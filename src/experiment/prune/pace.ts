import { z } from "zod";
import { item } from "../../arrays.ts";
import { isScreened } from "../../evaluation/precision.ts";
import type { Corpus } from "../../model/corpus.ts";
import { type GapRepairOptions, GapRepairs, standIn } from "../../model/search/gap-repairs.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { Precision } from "../../protocol/subnetworks.ts";
import { parseUnit } from "../../protocol/units.ts";
import type { Workspace } from "./workspace.ts";

/** How fast the model runs here, measured once. */
export interface Pace {
  /** A block on all of the text that decides, as sets are scored. */
  readonly secondsPerBlock: number;
  /** A block, exactly. */
  readonly exactPerToken: number;
}

export async function measurePace(work: Workspace): Promise<Pace> {
  const deciding = decidingText(work);
  // Only sets that are looked at in a search are screened.
  const { model, options } = work;
  const { precision = "exact" } = options;
  const secondsPerBlock = await paceOf(work, deciding, precision);
  const one = item(work.sequences, 0);
  const exactPerToken = isScreened(model.subject, precision)
    ? (await paceOf(work, one, "exact")) / one.info.tokens
    : secondsPerBlock / deciding.info.tokens;
  return { secondsPerBlock, exactPerToken };
}

/** Seconds of what stands in while the search scores: one pass, and of every gap its sums and its fit. */
export async function fittingSeconds(
  work: Workspace,
  candidates: readonly UnitName[],
  { exactPerToken }: Pace,
): Promise<number> {
  const { model, repairs, fit, sequences } = work;
  const { scoring } = repairs;
  if (scoring === undefined) return 0;
  const { gaps, fronts } = GapRepairs.count(candidates, model.depth, scoring);
  const lowest = candidates.reduce((a, b) => (blocksUpTo(b) < blocksUpTo(a) ? b : a));
  const [little, much] = [item(sequences, 0), decidingText(work)];
  const less = await gapPace(work, scoring, lowest, little);
  const further = much.info.tokens - little.info.tokens;
  const perToken =
    further > 0
      ? Math.max(0, (await gapPace(work, scoring, lowest, much)) - less) / further
      : less / little.info.tokens;
  const once = Math.max(0, less - perToken * little.info.tokens);
  // Of gaps that begin at one place all but one take half.
  const sums = fit.info.tokens * Math.max(0, perToken - blocksUpTo(lowest) * exactPerToken);
  return model.depth * exactPerToken * fit.info.tokens + ((gaps + fronts) / 2) * (sums + once);
}

const blocksUpTo = (unit: UnitName) => parseUnit(unit).block + 1;

/** Seconds that one gap takes on a text, with the blocks up to it. */
async function gapPace(
  { model, steps, key, call }: Workspace,
  scoring: GapRepairOptions,
  gap: UnitName,
  on: Corpus,
): Promise<number> {
  return await steps.step(
    { step: "pace of gaps", gap, on: on.key, scoring, of: key },
    z.number(),
    async () => {
      const started = performance.now();
      await using _ = await GapRepairs.fit(model.subject, on, [gap], { ...standIn(scoring), ...call });
      return (performance.now() - started) / 1000;
    },
  );
}

/** Seconds of a block on all of a text, which may be many batches. */
async function paceOf(work: Workspace, data: Corpus, precision: Precision): Promise<number> {
  const { model, steps, key, call } = work;
  const middle = Math.floor(model.depth / 2);
  // Without the first block, since the worker keeps what the whole model has in front of a later one. They
  // share the blocks up to the other that is removed.
  const both = [model.without(["block.0"]), model.without(["block.0", `block.${middle}`])];
  const blocks = model.depth - 1 + (model.depth - 1 - middle);
  const asked = { step: "pace", each: "text", precision, on: data.key, of: key };
  return await steps.step(asked, z.number(), async () => {
    const { seconds } = await model.evaluateSubnetworks(data, both, { ...call, precision }).result;
    return seconds / blocks;
  });
}

/** All of the text that a choice is made on; what comes before it is less of it. */
export const decidingText = ({ chooseOn }: Workspace): Corpus => item(chooseOn, chooseOn.length - 1);
