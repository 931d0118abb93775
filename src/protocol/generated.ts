// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "4bcebf5846436c880c0f081da98dbdc687085169e9806f4d80e480fa4eee726e";
