// Written by `npm run generate`; do not edit.
/** sha256 of `schemas/wire.schema.json`: both sides must have the same. */
export const contractDigest = "5b9972924a8848127db967f268e7dac29f2af697154fee31f6077d9be7ba863d";
