// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "3ac5f4a5eb9c4f79c45e7329ef5ea0a74743974d677df12dd33e4bcdd95393b9";
