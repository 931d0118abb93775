// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "49c4adeefb4505f53742af4243519ac39eb6f71e248e3852825182c4eec1ec60";
