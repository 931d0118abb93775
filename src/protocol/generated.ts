// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "b98c97547e097c00e161eb4d12bebd227e8afcf89f0712b0768fa29ffa0e11cb";
