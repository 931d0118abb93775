// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "8039cee36497600f8265038620008d9a8a5d136f348f4d94578cbde8f60623e8";
