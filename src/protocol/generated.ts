// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b77f2b0d6f6016cbcaeb482fdb5c3faecb04e2d287c245505023b404e0a74cd0";
