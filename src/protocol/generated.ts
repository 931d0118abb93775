// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "c4858f47e94e4f1c32347870b6541e3d782e4fd23a42a8e6b3c256aafb86904c";
