// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "eade0ce328f8f16f83e48384774814ae0d8375bcf3727c362217d4f6a55fffde";
