// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a8f330979a7f2a9ba775e71c612637c5c31b82a216c93b473c1093d53758fd6f";
