// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "02aecfa30e403dc852a85b957a152253aedf27ff42f6ab22aaed4303fd3e9c15";
