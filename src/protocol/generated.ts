// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "70e7c88faba29b9c2dd20b973e3eafc656fafff05cd40cb457ae086bb6a3ffb5";
