// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "f4c9614aa4ce1ed4444020b7855a386f7a793ead47da6daf188bd6781917f5f9";
