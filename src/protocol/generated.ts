// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "9b4e04f93631e62e0df69aa390ac880199fcf179cd2644c0503692bd9a923f12";
