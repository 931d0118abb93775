// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "fb119594fc34c8b181acd89edf537b47d3c459ee2fd41a463b311db520feea52";
