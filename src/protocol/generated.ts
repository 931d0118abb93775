// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "ee949112ce5aa18c9abf35651052743f7ba1023dba8e426d616684f6a055d7c0";
