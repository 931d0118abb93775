// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "8e029f0088e22576d71c9d8a779a4e3200c54054fd4ccd4989c868504641faa9";
