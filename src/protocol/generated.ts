// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "674e9e76b73e9b9fddd02f5a06dc516dd23dd3c4390249617e8ccedbfa56e1cf";
