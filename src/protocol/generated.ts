// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b68524d0c4b142863006f17556ae6b039e253cff8dd60e2587ee532ec1eae21d";
