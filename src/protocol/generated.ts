// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d5449238d0dd5cdaa1f0f8d586543853b940d6a6ecb48e67c7b47cbd9823fca9";
