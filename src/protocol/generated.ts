// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "02bf92da71fc8243bb8227a97ba06a354de10303e7e4b3ead3c909b5e3f02063";
