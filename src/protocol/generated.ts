// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "59b21dce2fedb80640ec9da09a1365cf953a9bf9b84a9b67c5f99a1436a0d17a";
