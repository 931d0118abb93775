// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "c358b0475ddb7d42582c8e7d25f9ff188f11ddfd4e84380069ef4989b997a837";
