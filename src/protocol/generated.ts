// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "add8f44506353ffdc158674606df95b012736bcfb69d2e8bea0a4c2800ca51cd";
