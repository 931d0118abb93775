/**
 * Serves experiments on a model: `MODEL=... PORT=... node main.ts`; Ctrl-C or SIGTERM ends it in good order.
 */
import { ModelWorker } from "./model-worker.ts";
import { backend } from "./server.ts";

const app = backend(new ModelWorker(process.env["MODEL"] ?? "smollm2-135m"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void app.close());
console.log(await app.listen({ port: Number(process.env["PORT"] ?? 3000), host: "127.0.0.1" }));
