// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "e20b03bedd6aed12684431d54b18fc5c80d77236084eabce092c53e245ce04bc";
