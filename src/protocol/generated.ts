// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "605dcb0ca2499914818f6c2da6937ec8c6850bbda62e2c558fb86868708a1aa9";
