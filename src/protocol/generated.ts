// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "56d4019c20ffb13c6c94eebd8f3d460ac774f9cbb0b320a4a1785c81145e9bd7";
