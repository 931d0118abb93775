// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a8ed8bc63820783b48c1b2d570f92c017c922d8dd165f36bde901a7a011de18d";
