import { DepthkitError } from "../../errors.ts";

/** Of what rests on text that decides nothing. */
export const needsFit = "needs text to fit to; give `fit`, as `splitText` makes it";

/** @throws DepthkitError INVALID_ARGUMENT */
export function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Searching: ${why}.`);
}
