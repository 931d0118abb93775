// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "8d4f26b7980a81d06af64e447d4fc7d3865f30c72d2e98f08c5f6d7d15e61372";
