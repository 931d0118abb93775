// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "79ef85abf4823b1d6e1333151c2ccc9a458fbee8084f76f360d2fc5b5f3e375a";
