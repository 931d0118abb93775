// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "90c5025eb37d632a7f6219aadc2e56f04e922518c1531b43a2fe7fe69223fdda";
