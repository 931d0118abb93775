// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "6719dedbfd5bd63d1f9f5394a7f01d75752cd71b124e710e57f16b7fee749f66";
