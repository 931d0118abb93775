// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "6c8ab20ad1c24567cb6845fee195641a194f61ac03ba39859ef497b2f860f5b7";
