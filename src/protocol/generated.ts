// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "924386fdeda27fe2140ff6c7a47fd3030f0e0058bc7217015bdb32b9cfd42dc2";
