// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "3236ffedce3ccf06a0f8359cf78f63b6d4242424763e73824e047a742793d05e";
