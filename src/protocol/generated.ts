// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "e65f7193cbc0f22abdf4436dff40c972a295112798ceb57e16c688300a6ea4d3";
