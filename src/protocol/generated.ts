// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "4b5f5a1dc513347d6ef7bbea2d59b8011079e77bf3514e2e69d62b6275d19adb";
