// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "1acf790da5af1e8ea5898c2d59cc42dfa41760c8c11230126be4959fc6824f25";
