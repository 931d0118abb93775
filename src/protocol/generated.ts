// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "0014648fec21cd304374a9b35661059cdf8c947a35ef3a808098b4e7d782e6b9";
