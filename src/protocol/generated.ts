// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "765d4b410429ad4d21afbf08ae22746afa2a38b74a4db1c97b8790cfa8863dfe";
