// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "129aead46a375b94198a0d023fe1a10b5869119a63ed981cf8dddd9e01b033b0";
