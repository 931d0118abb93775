// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d271d2596085584b2b7c7dbabb75feb39b380da07d594dd1f7dbe86ece9387df";
