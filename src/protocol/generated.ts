// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "6c8ab20ad1c24567cb6845fee195641a194f61ac03ba39859ef497b2f860f5b7";
export const contractDigest = "59b09829bf83b276f5846357adf35c767616ec4de9bbe97d92919ce5a4899ca6";
