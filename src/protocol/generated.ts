// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "eee004bed5ac92b6f787755818f8517f7c4ecd1ea4aff7818978ddcfe072bc46";
