// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "481689f9c4bb728353db9c7eab6ae434060e073165f3ff35f640763ec8edac45";
