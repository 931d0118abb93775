/** The routes: experiments as jobs, which can be asked for, listened to and cancelled. */
import { Readable } from "node:stream";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { type Experiment, type Outcome, removeBlocks } from "./experiment.ts";
import { Jobs, type JobView } from "./jobs.ts";
import type { ModelWorker } from "./model-worker.ts";

interface ById {
  Params: { id: string };
  Querystring: { cancelOnDisconnect?: boolean };
}

const texts = { type: "array", items: { type: "string" }, minItems: 1 };
const experiment = {
  type: "object",
  required: ["count", "calibration", "evaluation"],
  additionalProperties: false,
  properties: { count: { type: "integer", minimum: 1 }, calibration: texts, evaluation: texts },
};
const listening = { type: "object", properties: { cancelOnDisconnect: { type: "boolean" } } };

/** Who asks. Put your own authentication in its place: a header is no proof. */
const userOf = (request: FastifyRequest) => String(request.headers["x-user"] ?? "anonymous");

export function backend(worker: ModelWorker, { graceMs = 10_000 } = {}): FastifyInstance {
  const jobs = new Jobs<Experiment, Outcome>((input, call) =>
    worker.use((model) => removeBlocks(model, input, call)),
  );
  // Fastify would give up a shutdown after ten seconds, in which a job may still have its time.
  const app = Fastify({ bodyLimit: 8 << 20, pluginTimeout: 0 });
  const missing = { error: { code: "NOT_FOUND", message: "There is no such job, or it ended long ago." } };

  app.post<{ Body: Experiment }>("/jobs", { schema: { body: experiment } }, async (request, reply) => {
    const job = jobs.add(userOf(request), request.body);
    if (job !== undefined) return reply.code(202).send(job);
    const error = { code: "TOO_MANY_JOBS", message: "You have too many waiting jobs." };
    return reply.code(429).send({ error });
  });

  app.get<ById>("/jobs/:id", async (request, reply) => {
    return jobs.get(userOf(request), request.params.id) ?? reply.code(404).send(missing);
  });

  app.delete<ById>("/jobs/:id", async (request, reply) => {
    const user = userOf(request);
    jobs.cancel(user, request.params.id);
    return jobs.get(user, request.params.id) ?? reply.code(404).send(missing);
  });

  app.get<ById>("/jobs/:id/events", { schema: { querystring: listening } }, async (request, reply) => {
    const user = userOf(request);
    const { id } = request.params;
    if (jobs.get(user, id) === undefined) return reply.code(404).send(missing);
    const gone = new AbortController();
    reply.raw.on("close", () => {
      gone.abort();
      // Nothing happens to a job that has ended, which is how a stream closes too.
      if (request.query.cancelOnDisconnect) jobs.cancel(user, id);
    });
    const events = asEvents(jobs.follow(user, id, gone.signal));
    // A stream has its connection for itself: kept open behind it, a shutdown would wait for that.
    reply.type("text/event-stream").headers({ "cache-control": "no-cache", connection: "close" });
    return reply.send(Readable.from(events));
  });

  app.get("/health", async () => ({ workerPid: (await worker.pid()) ?? null }));

  // Before the server waits for its connections: event streams end with their jobs.
  app.addHook("preClose", () => jobs.close(graceMs));
  app.addHook("onClose", () => worker.close());
  return app;
}

async function* asEvents(views: AsyncIterable<JobView<Outcome>>): AsyncGenerator<string> {
  try {
    for await (const view of views) yield `event: job\ndata: ${JSON.stringify(view)}\n\n`;
  } catch (error) {
    if (!(error instanceof Error && error.name === "AbortError")) throw error; // the listener is gone
  }
}
