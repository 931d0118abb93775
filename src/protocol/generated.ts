// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "ecb79945b5f023c7a36e9fdf0a159e4563739487c0467ea831285ee23c47a562";
