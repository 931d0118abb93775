// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "012e871b52af3c2650f5d7096cbbfaf67112033804da7e30f1da35b5c8ffdaa8";
