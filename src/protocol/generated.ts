// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "decbd7d06383709c46f2d9cde385393aac7dd4acbc514f13e4fc9e2ef2114daa";
