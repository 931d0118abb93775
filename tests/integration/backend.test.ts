import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../examples/backend/experiment.ts";
import type { JobView } from "../../examples/backend/jobs.ts";
import { isAlive } from "../unit/platform/processes.ts";
import { tinyModel } from "./tiny-model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = (subject: string) =>
  `The ${subject} was low that year and the boats lay on the sand. `.repeat(20);
const small = { count: 1, calibration: [text("river")], evaluation: [text("lake")] };
/** Long enough to be seen while it runs. */
const long = { ...small, evaluation: Array.from({ length: 20 }, (_, index) => text(`lake ${index}`)) };

type Job = JobView<Outcome>;
let folder: string;
let tiny: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-backend-"));
  tiny = await tinyModel(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a user's browser would do. */
function client(base: string, user: string) {
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { "x-user": user, ...(init.body ? { "content-type": "application/json" } : {}) };
    const response = await fetch(base + path, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Job };
  };
  return {
    ask,
    post: (experiment: object) => ask("/jobs", { method: "POST", body: JSON.stringify(experiment) }),
    /** Every state that is told, as it is told. */
    async *events(id: string, options: { signal?: AbortSignal; query?: string } = {}): AsyncGenerator<Job> {
      const { signal, query = "" } = options;
      const init = { headers: { "x-user": user }, ...(signal ? { signal } : {}) };
      const response = await fetch(`${base}/jobs/${id}/events${query}`, init);
      expect(response.headers.get("content-type")).toContain("text/event-stream");
      // One that is kept open behind its stream holds a shutdown up until it times out.
      expect(response.headers.get("connection")).toBe("close");
      let rest = "";
      for await (const part of response.body ?? []) {
        rest += Buffer.from(part).toString();
        const whole = rest.split("\n\n");
        rest = whole.pop() ?? "";
        for (const event of whole) yield JSON.parse(event.slice(event.indexOf("data: ") + 6)) as Job;
      }
    },
    async finished(id: string): Promise<Job> {
      let last: Job | undefined;
      for await (const job of this.events(id)) last = job;
      if (last === undefined) throw new Error("no event came");
      return last;
    },
  };
}

/** The server as a user starts it. */
async function serve() {
  const server = spawn(process.execPath, ["--import", "tsx", "examples/backend/main.ts"], {
    cwd: root,
    env: { ...process.env, MODEL: tiny, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const base = String((await once(server.stdout, "data"))[0]).trim();
  const workerPid = async () => {
    const health = (await (await fetch(`${base}/health`)).json()) as { workerPid: number | null };
    return health.workerPid ?? 0;
  };
  return { server, base, workerPid };
}

async function end(server: ChildProcess) {
  const ended = once(server, "close");
  server.kill("SIGTERM");
  return await ended;
}

describe("the backend", () => {
  let base: string;
  let workerPid: () => Promise<number>;
  let server: ChildProcess;
  beforeAll(async () => {
    ({ server, base, workerPid } = await serve());
  });
  afterAll(() => end(server));

  test("a job is made, followed to its end, and asked for later; nobody else sees it", async () => {
    const ann = client(base, "ann");
    const { status, body } = await ann.post(small);
    expect(status).toBe(202);
    const states: string[] = [];
    for await (const { state } of ann.events(body.id)) if (states.at(-1) !== state) states.push(state);
    expect(states.at(-1)).toBe("done");
    const { body: done } = await ann.ask(`/jobs/${body.id}`);
    expect(done.result?.removed).toHaveLength(1);
    expect(done.result?.loss.whole).toBeGreaterThan(0);
    for (const [path, method] of [
      ["", "GET"],
      ["", "DELETE"],
      ["/events", "GET"],
    ] as const) {
      expect((await client(base, "bob").ask(`/jobs/${body.id}${path}`, { method })).status).toBe(404);
    }
  });

  test("what cannot be meant is refused, and what fails says why", async () => {
    const ann = client(base, "ann");
    for (const wrong of [
      {},
      { ...small, count: 0 },
      { ...small, calibration: [] },
      { ...small, count: "two" },
    ]) {
      expect((await ann.post(wrong)).status).toBe(400);
    }
    const { body } = await ann.post({ ...small, calibration: ["Too short."] });
    expect(await ann.finished(body.id)).toMatchObject({
      state: "failed",
      error: { code: "NOT_ENOUGH_TEXT" },
    });
  });

  test("under load users take turns, every job ends, a worker being killed too; one too many is refused", async () => {
    const [ann, bob] = [client(base, "ann"), client(base, "bob")];
    const order: string[] = [];
    const posted = await Promise.all(Array.from({ length: 20 }, () => ann.post(small)));
    const late = await Promise.all(Array.from({ length: 5 }, () => bob.post(small)));
    const many = await Promise.all(Array.from({ length: 30 }, () => ann.post(small)));
    expect(many.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(9);
    const jobs = [
      ...[...posted, ...many.filter(({ status }) => status === 202)].map(
        ({ body }) => ["ann", body.id] as const,
      ),
      ...late.map(({ body }) => ["bob", body.id] as const),
    ];
    const results = await Promise.all(
      jobs.map(async ([user, id]) => {
        const job = await client(base, user).finished(id);
        order.push(user);
        if (order.length === 10) process.kill(await workerPid(), "SIGKILL");
        return job;
      }),
    );
    for (const job of results) expect(job).toMatchObject({ state: "done", result: results[0]?.result });
    // Bob came last, and none of his waits for more than one of Ann's that was not yet begun.
    const before = order.slice(0, order.lastIndexOf("bob")).filter((user) => user === "ann").length;
    expect(before).toBeLessThan(order.filter((user) => user === "ann").length - 5);
  });

  test("a cancel, and a listener that goes where it was asked for, end the job; another's going does not", async () => {
    const ann = client(base, "ann");
    const running = async (query?: string) => {
      const { body } = await ann.post(long);
      const listener = new AbortController();
      const events = ann.events(body.id, { signal: listener.signal, ...(query ? { query } : {}) });
      for await (const { state } of events) if (state === "running") break;
      return { id: body.id, listener };
    };
    const cancelled = await running();
    await ann.ask(`/jobs/${cancelled.id}`, { method: "DELETE" });
    expect(await ann.finished(cancelled.id)).toMatchObject({ state: "cancelled" });
    const left = await running("?cancelOnDisconnect=true");
    left.listener.abort();
    expect(await ann.finished(left.id)).toMatchObject({ state: "cancelled" });
    const watched = await running();
    watched.listener.abort();
    expect(await ann.finished(watched.id)).toMatchObject({ state: "done" });
  });

  test("a worker that is killed in the middle costs time, and no result", async () => {
    const ann = client(base, "ann");
    const whole = await ann.finished((await ann.post(long)).body.id);
    const { body } = await ann.post(long);
    const pid = await workerPid();
    for await (const { state, progress } of ann.events(body.id)) {
      if (state !== "running" || progress === undefined) continue;
      process.kill(pid, "SIGKILL");
      break;
    }
    const again = await ann.finished(body.id);
    expect(again).toMatchObject({ state: "done" });
    expect(again.result).toEqual(whole.result);
    expect(await workerPid()).not.toBe(pid);
  });
});

test("SIGTERM: what waits is cancelled, what runs has its time, and nothing is left behind", async () => {
  const { server, base, workerPid } = await serve();
  const ann = client(base, "ann");
  await ann.finished((await ann.post(small)).body.id);
  const pid = await workerPid();
  expect(isAlive(pid)).toBe(true);
  const jobs = [(await ann.post(long)).body, (await ann.post(long)).body];
  const streams = jobs.map(({ id }) => ann.events(id));
  await Promise.all(streams.map((stream) => stream.next()));
  const lastOf = async (stream: AsyncGenerator<Job>) => {
    let state: string | undefined;
    for await (const job of stream) state = job.state;
    return state;
  };
  const [ran, waited, ended] = await Promise.all([...streams.map(lastOf), end(server)]);
  expect(["done", "cancelled"]).toContain(ran);
  expect(waited).toBe("cancelled");
  expect(ended).toEqual([0, null]);
  expect(isAlive(pid)).toBe(false);
});

test("the example's own package.json names the versions that are tested here", () => {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
  const [own, example] = [read("package.json"), read("examples/backend/package.json")];
  expect(example.dependencies).toEqual({ depthkit: own.version, fastify: own.devDependencies.fastify });
  expect(example.devDependencies).toEqual({ tsx: own.devDependencies.tsx });
});
