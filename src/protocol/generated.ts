// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "6fbada3b4d915a49102d8bdbe9ab548149b381256879af12f6b199222a75829c";
