// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "1c561cf18c52c417b19087a324a440c73052cfba526074ac8309045531c9e921";
