// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "708707f48ee29b43933afc1533326b1b832b90b390fb1adbb0c28d4bdce5c7fe";
