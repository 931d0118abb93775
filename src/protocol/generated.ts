// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "462dca7b380a426483ab84e015e0811f091252666feede4841276561b8dc2646";
