// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "1de2cc1c8907418eccfce499aa59c52d692ab535f77be03c4d33ee5db6b553a2";
