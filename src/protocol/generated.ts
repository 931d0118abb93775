// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "1e352d59ca764c07fa878deb4a78f33f3f5454d442c00a397a38b3f4acfed349";
