// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "7889420092d5c0b499d911b00bd093cb0e106cbb14f03203abfe7a308c69c0de";
