// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "c623eb452c33bbce537619284e7e0c5d73f82244be6964e296ff67e429605a40";
