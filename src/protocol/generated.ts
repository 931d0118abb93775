// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "893bec9546e3ab36c91da6d8f2dc0d2bb5a84cdc37abc81cb62c1f329bb2f715";
