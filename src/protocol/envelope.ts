/**
 * The envelope: the first frame of every message, packed with MessagePack; the frames behind it are
 * tensors, in the order of `b`. Its keys are single letters because a bare call is mostly envelope.
 * `docs/protocol.md` describes the conversation.
 */
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { contractDigest } from "./generated.ts";
import { finite } from "./schema.ts";

/** Raised when the meaning of the envelope changes; the contract's digest covers everything inside. */
const protocolVersion = 1;

const tensorHeaders = z.array(z.object({ d: z.string(), s: z.array(z.int().min(0)) }));

/** Client to worker. `p` is packed apart, so that the worker can route a message before it reads it. */
export type Request =
  | { t: "hello"; id: number; p: Hello }
  | { t: "req"; id: number; m: string; p: unknown; b: { d: string; s: readonly number[] }[] }
  | { t: "cancel"; id: number };

export interface Hello {
  protocol: number;
  contract: string;
  /** Proves that the peer is the process that started the worker. */
  token: string;
}

export function hello(token: string): Hello {
  return { protocol: protocolVersion, contract: contractDigest, token };
}

/** What a worker says of itself. */
const welcome = z.object({
  pid: z.int(),
  python: z.string(),
  /** The largest frame it takes. One that is announced as larger ends the connection. */
  largestFrameBytes: z.int(),
});
export type Welcome = z.infer<typeof welcome>;

export const errorReply = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
  /** The Python exception behind it, as data. */
  type: z.string(),
  traceback: z.string(),
});
export type ErrorReply = z.infer<typeof errorReply>;

/** Worker to client. */
const reply = z.discriminatedUnion("t", [
  z.object({ t: z.literal("welcome"), id: z.int(), p: welcome }),
  z.object({ t: z.literal("res"), id: z.int(), p: z.unknown(), b: tensorHeaders }),
  z.object({ t: z.literal("part"), id: z.int(), p: z.unknown(), b: tensorHeaders }),
  z.object({ t: z.literal("prog"), id: z.int(), p: z.unknown() }),
  z.object({ t: z.literal("err"), id: z.int(), e: errorReply }),
  z.object({ t: z.literal("beat"), id: z.literal(0), p: z.object({ seconds: finite() }) }),
]);
export type Reply = z.infer<typeof reply>;

export const parseReply = (value: unknown): Reply => parseMessage(reply, value);

/** What a worker sent, as `schema` has it. */
export function parseMessage<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DepthkitError(
    "PROTOCOL",
    `The worker sent a message outside the contract: ${z.prettifyError(parsed.error)}`,
  );
}
