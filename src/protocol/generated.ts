// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "2f332fb9ab0ea1966e5636a227942f492e5c6242e0ad5e8cb12093a327803322";
