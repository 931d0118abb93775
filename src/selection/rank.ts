import { DepthkitError } from "../errors.ts";
import { ranking } from "../ranks.ts";

export { ranking };

/** The `count` indices of least value. */
export function lowest(values: readonly number[], count: number): number[] {
  if (!Number.isInteger(count) || count < 0 || count > values.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Cannot choose the ${count} lowest of ${values.length} units; ask for a whole number from 0 to ` +
        `${values.length}.`,
    );
  }
  return ranking(values).slice(0, count);
}
