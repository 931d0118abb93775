// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b3451bf8b574e3243e95bce05bc3f9802ec07766fe0581372fc83b7ce994b6a0";
