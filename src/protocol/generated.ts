// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "081b308fb9fa1c4a6f631836ccb4adf29bb72d65853bf3fed05938c9767c1706";
