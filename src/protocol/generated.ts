// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d1df6dbcd05fc65100d85a5fb0f9a7597e2f38b6b5aaa96cba8dbdf33f31ee53";
