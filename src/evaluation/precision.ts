import { DepthkitError } from "../errors.ts";
import type { Precision } from "../protocol/subnetworks.ts";
import type { Subject } from "./subject.ts";

/**
 * The dtype that products are computed in, which is part of what determines a value.
 *
 * @throws DepthkitError INVALID_ARGUMENT where `screen` is asked for and has nothing to offer
 */
export function productsOf({ info, screening }: Subject, precision: Precision | undefined): string {
  if (precision !== "screen") return info.dtype;
  if (screening !== null) return screening;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `The precision "screen" was asked for, and ${info.source} is loaded in ${info.dtype}: its products are ` +
      'as fast already. Leave `precision` out, or load the model with `dtype: "float32"`.',
    { details: { precision, dtype: info.dtype } },
  );
}

/** Whether values are near the model's own and are not those. */
export const isScreened = (on: Subject, precision: Precision | undefined): boolean =>
  productsOf(on, precision) !== on.info.dtype;

/** What must be said of values for which `screen` was asked. */
export function screeningNotes(on: Subject, precision: Precision | undefined): string[] {
  if (precision !== "screen") return [];
  const products = productsOf(on, precision);
  if (isScreened(on, precision)) {
    return [`Values are screened: near those of the model, with products in ${products}.`];
  }
  return [
    `The precision "screen" was asked for, and ${on.info.device} has no fast instructions for bfloat16: ` +
      `computed in ${products}, which is exact.`,
  ];
}
