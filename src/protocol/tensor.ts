/** Raw tensor frames: how an array crosses the wire beside the message that refers to it. */
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { count, named } from "./schema.ts";

export const tensorRef = named(
  "TensorRef",
  z.strictObject({ tensor: count().describe("Index of the frame, from 0, among this message's tensors.") }),
);
export type TensorRef = z.infer<typeof tensorRef>;

const arrayTypes = {
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  uint32: Uint32Array,
  uint8: Uint8Array,
} as const;

export type DType = keyof typeof arrayTypes;
const dtypes = Object.keys(arrayTypes) as DType[];

/** A dense row-major array. `data.length` is the product of `shape`. */
export interface Tensor<T extends DType = DType> {
  readonly dtype: T;
  readonly shape: readonly number[];
  readonly data: InstanceType<(typeof arrayTypes)[T]>;
}

/** What the envelope says of a frame: `d` the dtype, `s` the shape. */
export interface TensorHeader {
  d: string;
  s: readonly number[];
}

/** The frame holds the tensor's own memory, not a copy: leave the array alone until the call settles. */
export function toFrame(tensor: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Views a received frame as a tensor, after checking that its bytes are what its header says. */
export function fromFrame(header: TensorHeader, frame: Uint8Array): Tensor {
  const ArrayType = arrayTypes[header.d as DType];
  if (ArrayType === undefined) {
    throw new DepthkitError(
      "PROTOCOL",
      `A tensor frame has dtype "${header.d}"; known: ${dtypes.join(", ")}.`,
    );
  }
  const length = header.s.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(length) || frame.byteLength !== length * ArrayType.BYTES_PER_ELEMENT) {
    throw new DepthkitError(
      "PROTOCOL",
      `A tensor frame of ${frame.byteLength} bytes was announced as ${header.d} [${header.s.join(", ")}].`,
    );
  }
  // libzmq hands out aligned memory in practice but does not promise it; an unaligned view would throw.
  const aligned = frame.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? frame : frame.slice();
  return {
    dtype: header.d as DType,
    shape: [...header.s],
    data: new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, length),
  };
}
