// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "63796064b3de52da00a8975352ff84f24e44e1bde6ea11d15778d88d50a0e090";
