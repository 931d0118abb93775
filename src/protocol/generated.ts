// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d59d55af5917eab5e09c8724b900060adf601fb7697d91dcdbaa34f43e746a4a";
