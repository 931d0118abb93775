import { expect, test } from "vitest";
import { decode, encode } from "../../../src/protocol/codec.ts";
import { fromFrame, type Tensor, toFrame } from "../../../src/protocol/tensor.ts";

test.each([0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 53 - 1, -(2 ** 40), 1.5, 1e300])(
  "BRG9: %d arrives as it was sent",
  (value) => {
    expect(decode(encode({ value }))).toEqual({ value });
  },
);

test("BRG9: whole numbers beyond 32 bits are packed as integers", () => {
  // 0xcf: unsigned 64-bit, 0xd3: signed; 0xcb would be a float, which an integer field refuses.
  expect([0xcf, 0xd3]).toContain(encode(2 ** 40)[0]);
  expect(encode(1e300)[0]).toBe(0xcb);
});

test("an absent key stays absent", () => {
  expect(decode(encode({ a: undefined, b: null }))).toEqual({ b: null });
});

test("tensors keep dtype, shape and values, and share the memory they are sent from", () => {
  const tensor: Tensor<"float64"> = {
    dtype: "float64",
    shape: [2, 3],
    data: new Float64Array([1, 2, 3, 4, 5, 6]),
  };
  const frame = toFrame(tensor);
  expect(frame.buffer).toBe(tensor.data.buffer);
  expect(fromFrame({ d: "float64", s: [2, 3] }, frame)).toEqual(tensor);
});

test("an unaligned frame is read all the same", () => {
  const bytes = new Uint8Array(1 + 8);
  bytes.set(new Uint8Array(new Float64Array([2.5]).buffer), 1);
  expect(fromFrame({ d: "float64", s: [1] }, bytes.subarray(1)).data[0]).toBe(2.5);
});

test.each([
  { d: "float64", s: [3] },
  { d: "float32", s: [2, 2] },
  { d: "float16", s: [4] },
  { d: "uint8", s: [-8] },
])("a frame of 8 bytes is refused as $d $s", (header) => {
  expect(() => fromFrame(header, new Uint8Array(8))).toThrow(expect.objectContaining({ code: "PROTOCOL" }));
});
