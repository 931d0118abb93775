// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "21bb4b8010e0f1d1de4abd9d6a49fc541446c83cc1fedd2d8c0179f5fcf39b67";
