// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b5f6193a051b1d3d92978ae89045a8bf1c78c44259070cf205754fc903c37dea";
