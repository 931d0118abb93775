// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "f247e321e607a6bbb13f58e6db6a7ba7a52185accf6b5279b69177d19b339a04";
