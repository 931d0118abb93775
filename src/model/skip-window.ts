import { DepthkitError } from "../errors.ts";
import { anInstance, checkArgument } from "../options.ts";
import { Influence } from "./influence.ts";

/** Blocks between a cold start and a cold end. */
export interface SkipWindow {
  /** The first block of it. */
  start: number;
  /** The first block behind it. */
  end: number;
}

/**
 * Where a policy may skip, from the calibration curve (FFN-SkipLLM, arXiv 2404.03865): from the first to the
 * last block whose feed-forward turns the stream, by cosine, no more than the median one does. What comes
 * before and behind turns it more: the cold start and the cold end, where everything runs.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function proposeSkipWindow(influence: Influence): SkipWindow {
  checkArgument("proposeSkipWindow", "influence", influence, anInstance(Influence, "an influence"));
  const curve = influence.data.values["feed-forward"].cosine;
  const sorted = curve.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const calm = (value: number) => value <= median;
  const start = curve.findIndex(calm);
  if (start < 0) throw new DepthkitError("INTERNAL", "There is no curve to propose a window from.");
  return { start, end: curve.findLastIndex(calm) + 1 };
}
