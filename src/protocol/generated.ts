// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "e56c99f61843088de8ff46a3e4b4ca0e586272f237fbb697dad0265f3f7730a3";
