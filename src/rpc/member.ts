import { DepthkitError } from "../errors.ts";
import type { KitEvent, WorkerEnd } from "./events.ts";
import type { Line } from "./line.ts";

/** So many crashes within so many seconds, and no worker is started any more. */
export interface RestartLimit {
  readonly crashes: number;
  readonly seconds: number;
}

interface MemberOptions {
  /** Its place among the workers. */
  readonly index: number;
  readonly open: (signal?: AbortSignal) => Promise<Line>;
  /** Start another worker where one crashed; absent: never. */
  readonly restart: RestartLimit | undefined;
  readonly tell: (event: KitEvent) => void;
}

/** A place for a worker, in which one follows another where it crashes. */
export class Member {
  readonly index: number;
  /** How it ended, for good. */
  readonly exited: Promise<WorkerEnd>;
  /** Calls that are under way here, or on their way. */
  busy = 0;
  /** Calls that were sent here so far. */
  served = 0;
  readonly #options: MemberOptions;
  readonly #crashes: number[] = [];
  #exit: (end: WorkerEnd) => void = () => {};
  #line: Line;
  /** While there is none, the next one. */
  #next: Promise<Line> | undefined;
  #crashCount = 0;
  #ended: DepthkitError | undefined;
  #closing = false;

  private constructor(options: MemberOptions, line: Line) {
    this.#options = options;
    this.index = options.index;
    this.#line = line;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
    options.tell({ type: "start", worker: this.index, pid: line.pid });
    this.#watch(line);
  }

  /** @param signal ends this start, and none that follow */
  static async start(options: MemberOptions, signal?: AbortSignal): Promise<Member> {
    return new Member(options, await options.open(signal));
  }

  /** The worker that is here, or was here last. */
  get line(): Line {
    return this.#line;
  }

  /** Why there is none any more, nor will be one; undefined where there is, or will be. */
  get ended(): DepthkitError | undefined {
    if (this.#ended !== undefined || this.#options.restart !== undefined) return this.#ended;
    return this.#line.connection.ended;
  }

  /** The worker that answers now; undefined while there is none. */
  get living(): Line | undefined {
    return this.ended === undefined && this.#line.connection.ended === undefined ? this.#line : undefined;
  }

  /** The worker that answers, as soon as there is one. */
  async whenLiving(): Promise<Line> {
    for (;;) {
      if (this.ended !== undefined) throw this.ended;
      if (this.living !== undefined) return this.living;
      // A connection ends before it is known how its worker did, and what comes next is said then.
      await (this.#next ?? this.#line.ended);
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#ended ??= closed();
    await this.#next?.catch(() => {}); // it may have begun to start one
    await this.#line.close();
    await this.exited;
  }

  #watch(line: Line): void {
    void line.ended.then((end) => {
      this.#options.tell({ type: "exit", worker: this.index, pid: line.pid, ...end });
      if (end.how === "closed" || this.#closing || this.#options.restart === undefined) {
        this.#exit(end);
        return;
      }
      this.#next = this.#reopen(end, this.#options.restart);
      this.#next.catch(() => {}); // told by `ended`
    });
  }

  /** One that ends while it starts is a crash like others. */
  async #reopen(end: WorkerEnd, limit: RestartLimit): Promise<Line> {
    let reason = end.error ?? closed();
    for (;;) {
      if (this.#closing) {
        this.#exit(end);
        throw closed();
      }
      this.#count(reason, limit, end);
      try {
        this.#line = await this.#options.open();
        break;
      } catch (error) {
        reason = error instanceof DepthkitError ? error : new DepthkitError("INTERNAL", String(error));
      }
    }
    this.#next = undefined;
    const { pid } = this.#line;
    this.#options.tell({ type: "restart", worker: this.index, pid, crashes: this.#crashCount });
    this.#watch(this.#line);
    return this.#line;
  }

  /** @throws DepthkitError where there were too many crashes */
  #count(reason: DepthkitError, { crashes, seconds }: RestartLimit, end: WorkerEnd): void {
    const now = performance.now();
    this.#crashCount += 1;
    this.#crashes.push(now);
    if (this.#crashes.length > crashes) this.#crashes.shift();
    const [first = now] = this.#crashes;
    if (this.#crashes.length < crashes || now - first > seconds * 1000) return;
    this.#ended = new DepthkitError(
      "WORKER_DIED",
      `The worker crashed ${crashes} times within ${Math.round((now - first) / 1000)} s, and is not ` +
        `started again. The last time: ${reason.message}`,
      { cause: reason, details: { ...reason.details, crashes } },
    );
    this.#options.tell({ type: "give-up", worker: this.index, error: this.#ended });
    this.#exit({ ...end, error: this.#ended });
    throw this.#ended;
  }
}

const closed = () => new DepthkitError("CLOSED", "The worker was closed.");
