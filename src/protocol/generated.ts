// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "031fee137e3f7acf282c26fdbb8ecbc48a1324d0dad1153bba565818acd26072";
