// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d64c0ff529b3a19a185edf2475e240122c02bb9979c83070112ae06dddd6399f";
