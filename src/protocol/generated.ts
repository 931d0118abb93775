// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "0ef7881334551b92cf4a0f3eac1a55f6034958caf41f4e15f1009790a60c733b";
