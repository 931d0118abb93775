// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "9595a9b1feb5d658b89a8f64d091cdcf7b9620e610a7f2803f1f5a385a1718cb";
