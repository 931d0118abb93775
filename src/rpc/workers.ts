import { DepthkitError } from "../errors.ts";
import type { MethodName, Params, Result } from "../protocol/methods.ts";
import { Attempt } from "./attempt.ts";
import type { CallOptions } from "./call-options.ts";
import type { Answer, CallRequest } from "./connection.ts";
import type { KitEvent, WorkerEnd } from "./events.ts";
import { Executor } from "./executor.ts";
import { type Line, onDevice } from "./line.ts";
import { Member, type RestartLimit } from "./member.ts";
import { Recipes } from "./recipes.ts";
import { withTimeLimit } from "./time-limit.ts";

/** Crashes under the same call, nothing of it finished between them, until it is taken for their cause. */
const CRASHES_A_CALL = 2;
/** What writes is not done twice by itself: it may be there whole already. */
const written: Partial<Record<MethodName, "target" | "folder">> = {
  "export.huggingface": "target",
  "repair.save": "folder",
};
const isUnload = (method: MethodName) => /\.unload(Task)?$/.test(method);

export interface WorkersOptions {
  /** Opens the worker of each place. */
  readonly places: readonly ((signal?: AbortSignal) => Promise<Line>)[];
  /** Of the start alone: workers that are started later have none. */
  readonly signal?: AbortSignal | undefined;
  readonly restart?: RestartLimit | undefined;
  /** Of calls that name no limit of their own. */
  readonly timeoutMs?: number | undefined;
  readonly tell: (event: KitEvent) => void;
}

/** Workers on this machine: a call goes to the least busy one, and to the next where that one crashes. */
export class Workers extends Executor {
  readonly members: readonly Member[];
  readonly #options: WorkersOptions;
  /** Of a single worker that is never replaced nothing has to be made again. */
  readonly #recipes: Recipes | undefined;
  readonly #exited: Promise<WorkerEnd>;
  #closing: Promise<void> | undefined;

  private constructor(options: WorkersOptions, members: readonly Member[]) {
    super();
    this.#options = options;
    this.members = members;
    this.#exited = Promise.all(members.map(({ exited }) => exited)).then(
      (ends) => ends.find(({ how }) => how === "crashed") ?? (ends[0] as WorkerEnd),
    );
    const again = options.restart !== undefined || members.length > 1;
    this.#recipes = again
      ? new Recipes((method, line, seconds) => this.#rebuilt(method, line, seconds))
      : undefined;
  }

  static async start(options: WorkersOptions): Promise<Workers> {
    const { places, restart, signal, tell } = options;
    const starts = places.map((open, index) => Member.start({ index, open, restart, tell }, signal));
    const settled = await Promise.allSettled(starts);
    const members = settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed === undefined) return new Workers(options, members);
    await Promise.all(members.map((member) => member.close()));
    throw failed.reason;
  }

  /** Settles when there is none left: how one of them crashed, or that all were closed. */
  get exited(): Promise<WorkerEnd> {
    return this.#exited;
  }

  get remote(): string | undefined {
    return this.members[0]?.line.connection.remote;
  }

  override get workers(): number {
    return this.members.length;
  }

  get ended(): DepthkitError | undefined {
    const ended = this.members.map((member) => member.ended);
    return ended.includes(undefined) ? undefined : ended[0];
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(this.members.map((member) => member.close())).then(() => {});
    return this.#closing;
  }

  async call<M extends MethodName>(
    method: M,
    params: Params<M>,
    options: CallRequest<M> = {},
  ): Promise<Answer<M>> {
    // What is closed is given back whenever its turn comes.
    const limit = isUnload(method) ? undefined : this.#options.timeoutMs;
    const { timeoutMs = limit, ...request } = options;
    return withTimeLimit(method, { signal: request.signal, timeoutMs }, (signal) =>
      this.#untilAnswered(method, params, { ...request, signal }),
    );
  }

  /** A call to one of them alone, of the worker itself. */
  async callOne(
    worker: number,
    method: "worker.status",
    options: CallOptions,
  ): Promise<Answer<"worker.status">> {
    const { timeoutMs = this.#options.timeoutMs, ...call } = options;
    const member = this.members[worker] as Member;
    return withTimeLimit(method, { signal: call.signal, timeoutMs }, async (signal) => {
      const line = member.living ?? (await orAborted(member.whenLiving(), method, signal));
      return line.connection.call(method, {}, { ...call, signal });
    });
  }

  async #untilAnswered<M extends MethodName>(
    method: M,
    params: Params<M>,
    options: CallRequest<M>,
  ): Promise<Answer<M>> {
    const { again, ...first } = options;
    let asked = { params, tensors: options.tensors };
    for (let crashes = 0; ; ) {
      const attempt = new Attempt(first);
      const member = this.#choose(method, params);
      member.busy += 1;
      member.served += 1;
      try {
        return await this.#attempt(member, method, asked, attempt);
      } catch (error) {
        const end = attempt.line?.connection.ended;
        const crashed = end !== undefined && (error === end || (error as Error).cause === end);
        if (!crashed || end.is("CLOSED") || this.#recipes === undefined) throw error;
        if (method in written) throw perhapsWritten(method, params, error as DepthkitError);
        if (again !== undefined && attempt.parts > 0) crashes = 0;
        if (attempt.began) crashes += 1;
        if (crashes >= CRASHES_A_CALL) throw causeOfCrashes(method, crashes, error as DepthkitError);
        this.#options.tell({ type: "repeat", method, crashes });
        const next = again?.();
        if (next !== undefined) asked = { params: { ...params, ...next.params }, tensors: next.tensors };
      } finally {
        member.busy -= 1;
      }
    }
  }

  /** Sent before anything is waited for where the worker is there and has what the call names: in order. */
  async #attempt<M extends MethodName>(
    member: Member,
    method: M,
    asked: Pick<CallRequest<M>, "tensors"> & { params: Params<M> },
    attempt: Attempt<M>,
  ): Promise<Answer<M>> {
    const recipes = this.#recipes;
    attempt.line = member.living;
    if (recipes !== undefined && isUnload(method)) {
      const lines = this.members.flatMap(({ living }) => living ?? []);
      await recipes.forget(method, asked.params, lines);
      return nothing as unknown as Answer<M>;
    }
    const { signal } = attempt.request;
    attempt.line ??= await orAborted(member.whenLiving(), method, signal);
    const { line } = attempt;
    const { params } = asked;
    const send = (here: Params<M>) =>
      line.connection.call(method, onDevice(line, method, here), {
        ...attempt.request,
        tensors: asked.tensors,
      });
    const here = recipes === undefined ? params : recipes.here(line, method, params);
    if (here !== undefined) return this.#note(line, method, asked, await send(here), attempt);
    // What is made again goes on where this caller gives up: others may wait for it too.
    const made = (recipes as Recipes).with(line, method, params, attempt.watcher(), (here) => {
      attempt.began = true;
      if (signal?.aborted) throw cancelled(method, signal);
      return send(here);
    });
    return this.#note(line, method, asked, await orAborted(made, method, signal), attempt);
  }

  async #note<M extends MethodName>(
    line: Line,
    method: M,
    { params, tensors }: Pick<CallRequest<M>, "tensors"> & { params: Params<M> },
    answer: Answer<M>,
    attempt: Attempt<M>,
  ): Promise<Answer<M>> {
    this.#recipes?.note(line, method, params, tensors, answer.result);
    if (method === "model.load" && this.members.length > 1) {
      await this.#loadEverywhere(answer.result as Result<"model.load">, attempt);
    }
    return answer;
  }

  /** In all workers of a pool, or in none. */
  async #loadEverywhere<M extends MethodName>(
    { model }: Result<"model.load">,
    attempt: Attempt<M>,
  ): Promise<void> {
    const lines = this.members.flatMap(({ living }) => living ?? []);
    try {
      const spread = (this.#recipes as Recipes).spread(model, lines, attempt.watcher());
      await orAborted(spread, "model.load", attempt.request.signal);
    } catch (error) {
      await this.#recipes?.forget("model.unload", { model }, lines);
      throw error;
    }
  }

  /** The least busy, of those that have the call's repairs where some do. */
  #choose(method: MethodName, params: object): Member {
    const [first] = this.members as [Member];
    if (this.members.length === 1) return first;
    const there = this.members.filter(({ ended }) => ended === undefined);
    const ready = there.filter(({ living }) => living !== undefined);
    const holding = ready.filter(({ line }) => this.#recipes?.hasRepairs(line, method, params));
    const among = [holding, ready, there].find((members) => members.length > 0) ?? [first];
    return among.reduce((least, one) =>
      one.busy < least.busy || (one.busy === least.busy && one.served < least.served) ? one : least,
    );
  }

  #rebuilt(method: MethodName, line: Line, seconds: number): void {
    const worker = this.members.findIndex((member) => member.line === line);
    this.#options.tell({ type: "rebuild", worker, pid: line.pid, method, seconds });
  }
}

const nothing = { result: {}, tensor: () => undefined };

/** The promise, or CANCELLED as soon as the signal is aborted. */
function orAborted<T>(promise: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(cancelled(what, signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function cancelled(what: string, signal: AbortSignal): DepthkitError {
  return new DepthkitError("CANCELLED", `${what} was cancelled.`, { cause: signal.reason });
}

function causeOfCrashes(method: string, crashes: number, last: DepthkitError): DepthkitError {
  return new DepthkitError(
    last.code,
    `${method} was under way when its worker crashed, ${crashes} times in a row, and is not asked again; ` +
      `other calls go on. The last time: ${last.message}`,
    { cause: last, details: { ...last.details, method, crashes } },
  );
}

function perhapsWritten(method: MethodName, params: object, error: DepthkitError): DepthkitError {
  const folder = (params as Readonly<Record<string, string>>)[written[method] ?? ""];
  return new DepthkitError(
    error.code,
    `${error.message}\nIt is not done again by itself: ${folder} is there whole, or not at all. Look, and ` +
      "write it again where it is not there.",
    { cause: error, details: { ...error.details, folder } },
  );
}
