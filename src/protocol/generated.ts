// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "56cc4c0e235eedf35302ae55320c6b2fc382f483209bdd3a0bbd536f80d2b2e5";
