// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "56f166bc346e3af80971c73a7cef3f3ee78f87fd360ece743ad09329e98c3220";
