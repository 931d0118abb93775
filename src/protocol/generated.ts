// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d029cbca161cfaf012d1e954cd9a87f97ed5fc1e808eb3c50844f1a7ca8ffb9a";
