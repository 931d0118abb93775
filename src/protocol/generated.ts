// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "070cacfedb637c4ac2a51490ca6fadf46166d3e7d113ce052abc876f6ca21bff";
