// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "f0f7f7fae1b3127dd2aaeedea255b4c55e040727dbeb1dfb5a7ee48546818553";
