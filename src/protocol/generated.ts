// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "16869283ecf4894fe501307ca017c25086aa5a4b0ac478b128f159d536d1a75b";
