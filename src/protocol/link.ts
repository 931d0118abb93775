/**
 * What a client and its remote worker say to each other of their link: the first frame of every message
 * between them, packed with MessagePack. Its Python twin is `contract/link.py`; `docs/protocol.md` describes
 * the conversation.
 */
import { z } from "zod";
import { errorReply, parseMessage } from "./envelope.ts";

export const LINK_VERSION = 1;

/** Client to worker. `n`: the number of a message, from 1. `a`: of the last that arrived here. */
export type LinkRequest =
  | { k: "open"; version: number; session: string; takeOver: boolean; a: number }
  | { k: "data"; n: number; a: number }
  | { k: "ack"; a: number }
  | { k: "bye" };

/** Worker to client. */
const linkReply = z.discriminatedUnion("k", [
  z.object({ k: z.literal("opened"), session: z.string(), keepSeconds: z.number(), a: z.int() }),
  z.object({ k: z.literal("refused"), e: errorReply }),
  z.object({ k: z.literal("data"), n: z.int(), a: z.int() }),
  z.object({ k: z.literal("ack"), a: z.int() }),
  z.object({ k: z.literal("bye") }),
]);
export type LinkReply = z.infer<typeof linkReply>;

export const parseLinkReply = (value: unknown): LinkReply => parseMessage(linkReply, value);
