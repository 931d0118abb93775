// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "4382a90c1734f36fdf0adf9c830d57a6e068f2b08d07a9b537836a64b85980cb";
