// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "ea59931cb40530213fa341e4820aef8ec7677a932cbb3a7a5d152f6a49bc09d5";
