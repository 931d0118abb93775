// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a1ba2d50d599d96f0d4cd3814bffd68781bdf8b8d18b6ee73d17f629f38ef2c8";
