// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "d02d11802c30fa4be53deb95c0c9cf9218d8cb0987e96e3331a08b6d07adc240";
