// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "0fe5d33a18b3e111499fe7ae323f60aa9af4990b77b101165bc88ec434f94b2e";
