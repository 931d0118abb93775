// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "7e81794efa7e85afc25af70608a0ed42798bcaabc2a184165112b184b41962d1";
