// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "9f1b72be276bc12138c4b8165515944f1e8d648a8517841b6fd7eea1c47e21e6";
