// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "777e76063a39e210af89eca9cdb9ba56f6da8a4f5e69110752fdcd8b624fd5a7";
