// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "0b2229e08db60203b36a741390c7312e2953d71279eb8578f74f3e4ffca99f12";
