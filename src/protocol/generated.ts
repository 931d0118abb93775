// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a52ad1b55589230fee9bc37b8960616bb37d062047a9d9eaaf219c442d8dcc33";
