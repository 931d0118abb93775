// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "7e108ebe10c6fad7d83f9f290c4928bb7d2b8a7409f502c3ef370e01f0df9b2e";
