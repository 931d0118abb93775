// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "2a2da5a1fc53ab00ef806a69fbd15f108d0a9967850e6cc0089f82dcb339a156";
