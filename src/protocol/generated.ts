// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "313a46840adc5449619c4cd2b436d059afcbf65c9dc44dece23ef7c3612f82b8";
