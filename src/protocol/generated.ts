// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "936340576e403e9c2a2ba940656b5f1964c520d7563c367e3701e493562cd8c5";
