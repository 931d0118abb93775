// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "5428eff6cf9ef1f9a758a6f2078aaee32df990639a7dc9bc669adabdd3bf9658";
