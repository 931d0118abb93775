// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "24c3ac7ec13378f065358e56b2e58c7d884b92f748775c5ff2b7c7e3a3d20a01";
