// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "ee4f8d957982c3ca779ac3dda7de7576a0b2434941f682b2fa91705a53cf019e";
