// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "756e42ebf1e913444e082efe99eef577cf9a54169b199aeb287edad0b4bd4e42";
