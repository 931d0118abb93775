/** MessagePack as both sides agree on it. */
import { type Options, Packr } from "msgpackr";

const options = {
  useRecords: false, // plain maps: msgspec knows no record extension
  skipValues: [undefined], // an absent key is absent, never an extension value
  // A number where it is exact, else a BigInt, which the schemas refuse.
  int64AsType: "auto",
  variableMapSize: true,
};
// Its type declarations lack `skipValues` and "auto", which its documentation has.
const packr = new Packr(options as Options);

/**
 * msgpackr writes whole numbers beyond 32 bits as floats, which an integer field refuses; as BigInt they stay
 * whole.
 */
function withWholeIntegers(value: unknown): unknown {
  if (typeof value === "number") {
    const beyond32Bits = value > 0xffff_ffff || value < -0x8000_0000;
    return beyond32Bits && Number.isSafeInteger(value) ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(withWholeIntegers);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withWholeIntegers(item)]));
  }
  return value;
}

export function encode(value: unknown): Uint8Array {
  return packr.pack(withWholeIntegers(value));
}

export function decode(frame: Uint8Array): unknown {
  return packr.unpack(frame);
}
