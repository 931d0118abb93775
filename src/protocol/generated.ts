// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "76ed8370a1b70ec569a35a7f9d281b2835b3a816a3cb6562fba4d9dcd5734acc";
