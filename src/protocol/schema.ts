/**
 * The vocabulary the contract is written in. Each helper exists because zod, JSON Schema and msgspec
 * must give the same verdict on every message: what one of them cannot say is not used.
 */
import { z } from "zod";

/** The contract's own names: what stands in zod's global registry is the user's. */
export const contract = z.registry<{ id: string; base?: string }>();

const names = new Set<string>();

/** Gives a schema the name it has in `schemas/wire.schema.json` and in Python. A name is used once. */
export function named<T extends z.ZodType>(id: string, schema: T): T {
  return add({ id }, schema);
}

/**
 * A call's params: the fields of its options, which are a type of their own in Python too and the params
 * one of its kind, and what the call works on.
 */
export function extending<Options extends z.core.$ZodLooseShape, Subject extends z.core.$ZodLooseShape>(
  id: string,
  options: z.ZodObject<Options, z.core.$strict>,
  subject: Subject,
) {
  const base = contract.get(options)?.id;
  if (base === undefined) throw new Error(`The options that ${id} extends have no name in the contract.`);
  return add({ id, base }, options.extend(subject));
}

function add<T extends z.ZodType>(entry: { id: string; base?: string }, schema: T): T {
  if (names.has(entry.id)) throw new Error(`The contract already has a schema named ${entry.id}.`);
  names.add(entry.id);
  contract.add(schema, entry);
  return schema;
}

/** A finite number. The bounds are what lets JSON Schema and msgspec refuse NaN and infinities. */
export const finite = (): z.ZodNumber => z.number().min(-Number.MAX_VALUE).max(Number.MAX_VALUE);

export const positive = (max = Number.MAX_VALUE): z.ZodNumber => z.number().gt(0).max(max);

export const notNegative = (max = Number.MAX_VALUE): z.ZodNumber => z.number().min(0).max(max);

/** A share or a probability. */
export const share = (): z.ZodNumber => z.number().min(0).max(1);

/** A count, size or seed: an exact integer from `min` to 2^53 - 1. */
export const count = (min = 0): z.ZodInt => z.int().min(min).max(Number.MAX_SAFE_INTEGER);

/** A count of at least 1 with a bound of its own, where a large one could only be a mistake. */
export const upTo = (max: number): z.ZodInt => z.int().min(1).max(max);

/** Beyond any use, and small enough that products of two such numbers are exact. */
export const MOST_AT_A_TIME = 65_536;

/** A list, which callers may give as a constant. */
export const list = <T extends z.ZodType>(item: T, min = 0): z.ZodReadonly<z.ZodArray<T>> =>
  (min > 0 ? z.array(item).min(min) : z.array(item)).readonly();

/** The path of a file or folder. The SDK makes it absolute: the worker runs in a folder of its own. */
export const path = (): z.ZodString => z.string().min(1);

/** A handle to an object a worker holds, such as `model-3f9a12c4-1`: kind, worker and number. */
export const handle = (kind: string): z.ZodString =>
  z.string().regex(new RegExp(`^${kind}-[0-9a-f]{8}-[0-9]+$(?!\\n)`), {
    error: ({ input }) => {
      const what = kind.replace(/[()]/g, "").replaceAll("|", " or a ");
      return `expected a ${what}; got ${String(input).replace(/-[0-9a-f]{8}-[0-9]+$/, "")}.`;
    },
  });

/** A sha256 in hexadecimal. */
export const digest = (): z.ZodString => z.string().regex(/^[0-9a-f]{64}$(?!\n)/);
