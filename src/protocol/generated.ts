// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "f2066b39db9258b00524fa3a3a013f661a9fcf54fc3ebdd2790a239c2d534d7f";
