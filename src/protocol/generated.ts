// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "3188d41f025c29acdb5babe6f7c291967dc2d116b53f7a5d053a41835782751c";
