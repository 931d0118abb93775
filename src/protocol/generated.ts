// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "bbce9ca7de60b0cad181d9b505b72b31a1095d169da8a8881ff84dfa7421f392";
