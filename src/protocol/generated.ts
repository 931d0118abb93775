// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "54f835a6ba963fc62045cd83e208bb7559045ae373b62e75edc40a9915f5a061";
