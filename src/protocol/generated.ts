// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d002189d971b9efe4135cda7d9f5a1ef71c76149d8aa7febe90c4b23d81534a4";
