// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "e4ce2a14feeedd839f6a504c782acd87b5e6f75c0c738cf0320b7e74ad3693b4";
