// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "378c70d3a5d653d265bb0ab6cddbedea3643ca4177f38b18daca6fc1a0da73a9";
