// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "132fe7dc9cd83e14f983fe96163cdd0fb03ec419b3839e053e88a00d4ca3ba25";
