/**
 * Jobs of several users on one worker: one runs at a time, users take turns, and each can be watched and
 * ended.
 */
import { randomUUID } from "node:crypto";
import { EventEmitter, on } from "node:events";
import { DepthkitError, type Progress } from "depthkit";

/** What a job's work is given: pass both on to every call. */
export interface Call {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** What a client is told of a job. */
export interface JobView<Result> {
  id: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  /** Of a job that runs. */
  progress?: Progress;
  result?: Result;
  error?: { code: string; message: string };
}

interface Job<Input, Result> {
  user: string;
  input: Input;
  view: JobView<Result>;
  end: AbortController;
  changes: EventEmitter;
}

const WAITING_PER_USER = 20;
const FINISHED_KEPT = 1_000;

export class Jobs<Input, Result> {
  readonly #run: (input: Input, call: Call) => Promise<Result>;
  readonly #all = new Map<string, Job<Input, Result>>();
  /** By user; who has waited longest for a turn comes first. */
  readonly #waiting = new Map<string, Job<Input, Result>[]>();
  #running: Promise<void> | undefined;

  constructor(run: (input: Input, call: Call) => Promise<Result>) {
    this.#run = run;
  }

  /** Undefined where this user has too many waiting. */
  add(user: string, input: Input): JobView<Result> | undefined {
    const queue = this.#waiting.get(user) ?? [];
    if (queue.length >= WAITING_PER_USER) return undefined;
    const view: JobView<Result> = { id: randomUUID(), state: "waiting" };
    const job = { user, input, view, end: new AbortController(), changes: new EventEmitter() };
    job.changes.setMaxListeners(0);
    this.#all.set(view.id, job);
    this.#waiting.set(user, [...queue, job]);
    this.#running ??= this.#work();
    return view;
  }

  /** A job of this user: nobody sees another's. */
  get(user: string, id: string): JobView<Result> | undefined {
    return this.#find(user, id)?.view;
  }

  /** A job as it is and, until it has ended, as it changes. */
  async *follow(user: string, id: string, signal: AbortSignal): AsyncGenerator<JobView<Result>> {
    const job = this.#find(user, id);
    if (job === undefined) return;
    const changes = on(job.changes, "change", { signal });
    yield job.view;
    if (ended(job.view)) return;
    for await (const _ of changes) {
      yield job.view;
      if (ended(job.view)) return;
    }
  }

  cancel(user: string, id: string): void {
    const job = this.#find(user, id);
    if (job === undefined) return;
    job.end.abort();
    if (job.view.state === "waiting") this.#change(job, { state: "cancelled" });
  }

  /** Cancels what waits; what runs has `graceMs` to end by itself, and is cancelled then. */
  async close(graceMs: number): Promise<void> {
    const jobs = [...this.#all.values()];
    for (const { view, user } of jobs) if (view.state === "waiting") this.cancel(user, view.id);
    const timer = setTimeout(() => {
      for (const { end } of jobs) end.abort();
    }, graceMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #work(): Promise<void> {
    for (let job = this.#next(); job !== undefined; job = this.#next()) await this.#runOne(job);
    this.#running = undefined;
  }

  async #runOne(job: Job<Input, Result>): Promise<void> {
    this.#change(job, { state: "running" });
    try {
      const { signal } = job.end;
      const onProgress = (progress: Progress) => this.#change(job, { state: "running", progress });
      this.#change(job, { state: "done", result: await this.#run(job.input, { signal, onProgress }) });
    } catch (error) {
      const code = error instanceof DepthkitError ? error.code : "INTERNAL";
      const message = error instanceof Error ? error.message : String(error);
      const state = job.end.signal.aborted ? "cancelled" : "failed";
      this.#change(job, { state, ...(state === "failed" ? { error: { code, message } } : {}) });
    }
  }

  /** The first job of the user whose turn it is, who goes to the end of the row. */
  #next(): Job<Input, Result> | undefined {
    for (const [user, queue] of this.#waiting) {
      this.#waiting.delete(user);
      const [first, ...rest] = queue.filter(({ view }) => view.state === "waiting");
      if (rest.length > 0) this.#waiting.set(user, rest);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #change(job: Job<Input, Result>, change: Omit<JobView<Result>, "id">): void {
    job.view = { id: job.view.id, ...change };
    job.changes.emit("change");
    if (!ended(job.view)) return;
    const finished = [...this.#all].filter(([, { view }]) => ended(view));
    for (const [id] of finished.slice(0, -FINISHED_KEPT)) this.#all.delete(id);
  }

  #find(user: string, id: string): Job<Input, Result> | undefined {
    const job = this.#all.get(id);
    return job?.user === user ? job : undefined;
  }
}

const ended = ({ state }: JobView<unknown>) => state !== "waiting" && state !== "running";
