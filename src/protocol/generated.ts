// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "26028c6a720c4b3cc69a80dad7103a3382ac58aab2b7552726d8610f48929a49";
