// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d67280bea65738f863677bf268ec1b5b23c6c3e1fe0daf514e89b360801a25c5";
