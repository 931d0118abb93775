// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a3d0d43d19e87ca8a6dbc10f6d8e3b6e323f7f0eea42039baeeeb41baa6d96b0";
