// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "a5e18806930fee4ad28bad3f17b9b4b56d0ef22adc268731faf869dfa381a114";
