/**
 * The vocabulary the contract is written in. Each helper exists because zod, JSON Schema and msgspec
 * must give the same verdict on every message: what one of them cannot say is not used.
 */
import { z } from "zod";

const names = new Set<string>();

/** Gives a schema the name it has in `schemas/wire.schema.json` and in Python. A name is used once. */
export function named<T extends z.ZodType>(id: string, schema: T): T {
  if (names.has(id)) throw new Error(`The contract already has a schema named ${id}.`);
  names.add(id);
  z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), id });
  return schema;
}

/** A finite number. The bounds are what lets JSON Schema and msgspec refuse NaN and infinities. */
export const finite = (): z.ZodNumber => z.number().min(-Number.MAX_VALUE).max(Number.MAX_VALUE);

/** A count, size or seed: an exact integer from `min` to 2^53 - 1. */
export const count = (min = 0): z.ZodInt => z.int().min(min).max(Number.MAX_SAFE_INTEGER);

/** A handle to an object a worker holds, such as `model-3f9a12c4-1`: kind, worker and number. */
export const handle = (kind: string): z.ZodString =>
  z.string().regex(new RegExp(`^${kind}-[0-9a-f]{8}-[0-9]+$(?!\\n)`));

/** A sha256 in hexadecimal. */
export const digest = (): z.ZodString => z.string().regex(/^[0-9a-f]{64}$(?!\n)/);
