// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "08699bb8c66b8cee1bf5f0b79306b9339e43a242a2f7471e76f94fe4d7dce361";
