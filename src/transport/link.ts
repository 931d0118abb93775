import { DepthkitError, isErrorCode } from "../errors.ts";
import { decode, encode } from "../protocol/codec.ts";
import { LINK_VERSION, type LinkReply, type LinkRequest, parseLinkReply } from "../protocol/link.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** A remote worker's link: lost, with the reason, or restored. */
export type LinkChange = { state: "lost"; reason: string } | { state: "restored" };

export interface LinkOptions {
  /** The worker's address, for messages. */
  readonly url: string;
  /** Makes one connection. */
  connect(listener: TransportListener): Transport;
  /** End the session of whoever holds the worker. */
  readonly takeOver: boolean;
  /** How long to try to come back, at most; never longer than the worker keeps the session. */
  readonly reconnectMs: number;
  /** Whether the worker's machine is there and nothing listens any more. */
  refuses(): Promise<boolean>;
  /** How long it may be so until the worker is taken to have ended. */
  readonly refusedMs: number;
  onChange(change: LinkChange): void;
}

/** Waits until the worker is told what has arrived, where nothing else is to be said. */
const ACK_MS = 200;
const RETRY_MS = 500;
/** How long one attempt to come back may take. */
const ATTEMPT_MS = 5_000;
/** How long to try to tell the worker that this is the end, over a lost link too. */
const FAREWELL_MS = 2_000;

/**
 * One session with a remote worker, over connections that may break: what was sent is kept until the worker
 * has it, and sent again where it did not arrive; what comes twice is dropped. So whoever speaks through it
 * sees one transport that never breaks, until the worker or this side gives the session up.
 */
export class Link implements Transport {
  /** Settles when the worker has heard that this is the end, or will not. */
  readonly closed: Promise<void>;
  readonly #options: LinkOptions;
  readonly #listener: TransportListener;
  readonly #onClosed: () => void;
  #socket: Transport | undefined;
  #session = "";
  #keepMs = 0;
  /** Whether messages get through, as far as is known. */
  #open = false;
  #over = false;
  #lostAt: number | undefined;
  /** Since when the worker's machine has refused every attempt to come back. */
  #refusedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ackTimer: NodeJS.Timeout | undefined;
  #farewellTimer: NodeJS.Timeout | undefined;
  #sent = 0;
  #received = 0;
  #kept: { n: number; frames: Uint8Array[] }[] = [];

  constructor(options: LinkOptions, listener: TransportListener) {
    this.#options = options;
    this.#listener = listener;
    let onClosed = () => {};
    this.closed = new Promise((resolve) => {
      onClosed = resolve;
    });
    this.#onClosed = onClosed;
    this.#connect();
  }

  send(frames: Uint8Array[]): void {
    if (this.#over) return;
    this.#sent += 1;
    const message = { n: this.#sent, frames };
    this.#kept.push(message);
    if (this.#open) this.#write(message);
  }

  /**
   * Ends the session, so that the worker is free for the next. Where the link is lost, or breaks before the
   * worker has heard of it, the link is made again for that: the worker would keep the session for as long as
   * it waits for lost clients.
   */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopTimers();
    this.#farewellTimer = setTimeout(() => this.#end(), FAREWELL_MS);
    if (this.#open) this.#say({ k: "bye" });
    else this.#break(new Error("closed"));
  }

  #connect(): void {
    const socket = this.#options.connect({
      onMessage: (frames) => {
        if (socket === this.#socket) this.#receive(frames);
      },
      onFailure: (error) => {
        if (socket === this.#socket) this.#break(error);
      },
    });
    this.#socket = socket;
    const { takeOver } = this.#options;
    this.#say({ k: "open", version: LINK_VERSION, session: this.#session, takeOver, a: this.#received });
  }

  #receive([head, ...frames]: Uint8Array[]): void {
    let message: LinkReply;
    try {
      message = parseLinkReply(decode(head ?? new Uint8Array()));
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if ("a" in message) this.#forget(message.a);
    switch (message.k) {
      case "opened":
        this.#opened(message);
        break;
      case "refused":
        // A session that the worker gave up meanwhile needs no end.
        if (this.#over) this.#end();
        else this.#fail(asError(message.e));
        break;
      case "bye":
        this.#leave();
        break;
      case "data":
        // One that is here already is sent again where the word of it was lost.
        if (this.#over || message.n !== this.#received + 1) return;
        this.#received = message.n;
        this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_MS);
        this.#listener.onMessage(frames);
    }
  }

  /** The worker says that this is the end: in answer to us, or first. */
  #leave(): void {
    if (this.#over) {
      this.#end();
    } else {
      this.#say({ k: "bye" });
      this.#fail(new DepthkitError("CONNECTION_LOST", `The worker at ${this.#url} was stopped.`));
    }
  }

  #opened({ session, keepSeconds }: Extract<LinkReply, { k: "opened" }>): void {
    clearTimeout(this.#timer);
    this.#session = session;
    this.#keepMs = keepSeconds * 1_000;
    this.#open = true;
    if (this.#over) {
      this.#say({ k: "bye" });
      return;
    }
    for (const message of this.#kept) this.#write(message);
    if (this.#lostAt === undefined) return;
    this.#lostAt = undefined;
    this.#refusedAt = undefined;
    this.#options.onChange({ state: "restored" });
  }

  /** The connection is gone; the session is not, unless it never began. */
  #break(error: Error): void {
    this.#socket?.close();
    this.#open = false;
    this.#stopTimers();
    if (this.#over) {
      if (this.#session === "") this.#end();
      else this.#connectLater();
    } else if (this.#session === "") {
      this.#fail(error);
    } else if (this.#lostAt === undefined) {
      this.#lostAt = performance.now();
      this.#options.onChange({ state: "lost", reason: error.message });
      this.#comeBack(error);
    } else {
      void this.#failedAgain(error);
    }
  }

  /** Only an attempt that failed is followed by a look at the port: a worker that listens would wonder. */
  async #failedAgain(error: Error): Promise<void> {
    const refused = await this.#options.refuses();
    if (this.#over) return;
    const now = performance.now();
    this.#refusedAt = refused ? (this.#refusedAt ?? now) : undefined;
    if (this.#refusedAt === undefined || now - this.#refusedAt < this.#options.refusedMs) {
      this.#comeBack(error);
      return;
    }
    const seconds = Math.round((now - this.#refusedAt) / 1_000);
    const message =
      `The worker at ${this.#url} has ended: its machine answers, and for ${seconds} s nothing has ` +
      "listened there. Start it again, connect again, and load again.";
    const details = { worker: this.#url, refused: true };
    this.#fail(new DepthkitError("CONNECTION_LOST", message, { cause: error, details }));
  }

  #comeBack(error: Error): void {
    const lostMs = performance.now() - (this.#lostAt ?? performance.now());
    if (lostMs > Math.min(this.#options.reconnectMs, this.#keepMs)) {
      const message =
        `The link to the worker at ${this.#url} was lost, and did not come back in ` +
        `${Math.round(lostMs / 1_000)} s (${error.message}). Connect again, and load again.`;
      this.#fail(new DepthkitError("CONNECTION_LOST", message, { cause: error }));
      return;
    }
    this.#connectLater();
  }

  #connectLater(): void {
    this.#timer = setTimeout(() => {
      this.#connect();
      this.#timer = setTimeout(() => this.#break(new Error("no answer")), ATTEMPT_MS);
    }, RETRY_MS);
  }

  /** The session is gone. */
  #fail(error: Error): void {
    this.#over = true;
    this.#stopTimers();
    this.#end();
    this.#listener.onFailure(error);
  }

  #end(): void {
    this.#stopTimers();
    clearTimeout(this.#farewellTimer);
    this.#kept = [];
    this.#socket?.close();
    this.#onClosed();
  }

  #forget(number: number): void {
    const first = this.#kept.findIndex(({ n }) => n > number);
    this.#kept.splice(0, first < 0 ? this.#kept.length : first);
  }

  #write({ n, frames }: { n: number; frames: Uint8Array[] }): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#say({ k: "data", n, a: this.#received }, frames);
  }

  #acknowledge(): void {
    this.#ackTimer = undefined;
    if (this.#open) this.#say({ k: "ack", a: this.#received });
  }

  #say(head: LinkRequest, frames: Uint8Array[] = []): void {
    this.#socket?.send([encode(head), ...frames]);
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
  }

  get #url(): string {
    return this.#options.url;
  }
}

function asError({ code, message, details }: Extract<LinkReply, { k: "refused" }>["e"]): DepthkitError {
  return new DepthkitError(isErrorCode(code) ? code : "PROTOCOL", message, { details });
}
