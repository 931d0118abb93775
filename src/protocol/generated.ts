// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "c9b1ce9c14394b0788ed3b696be9dacf7d65e872008a8b1e6ebff57946058157";
