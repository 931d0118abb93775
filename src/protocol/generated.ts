// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "2b452c498fe4b5c4557ac390401216a73983a782396a954ea17a4a980e8e02fb";
