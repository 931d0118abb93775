// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "1f5e0103a457d6e0539c776c65db481bd4db6307494947befefa941ac973a3a9";
