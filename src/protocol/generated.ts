// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b4d1e7e91fabbc214e1e57a974528147606e599a7223b007cce6f414aa289572";
