// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "4def915063ead2fc84be599068865224736c03453e0a574eaa5538c3069de5d5";
