// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a85d4c17869b184916d19e724a8a1ee667cf542f7de48022a4389c3279a07306";
