import { once } from "node:events";
import type { Command } from "commander";
import { type ClusterOptions, DepthkitError, listenWorker } from "../index.ts";
import { runCommand } from "./command.ts";
import { requireKeys } from "./remote.ts";
import { realNumber, wholeNumber } from "./values.ts";

interface Flags extends ClusterOptions {
  listen: string;
  keep: number;
}

export function registerWorker(command: Command): void {
  command
    .requiredOption("--listen <url>", "where: tcp://host:port; host * is every network of this machine")
    .option("--keep <seconds>", "how long a session outlives its link", realNumber(1, 1e9), 300)
    .option(
      "--cluster <address>",
      "a Ray cluster that does pieces of the work: auto, ray://host:port, host:port",
    )
    .option("--actors <count>", "actors to use at most, and to wait for", wholeNumber(1))
    .action((flags: Flags) =>
      runCommand({}, async ({ signal }) => {
        const keys = requireKeys("--listen");
        const { listen, keep: keepSeconds, cluster, actors } = flags;
        const on = { cluster, actors };
        await using worker = await listenWorker({ listen, keys, keepSeconds, ...on, verbose: true, signal });
        process.stderr.write(`Listening at ${worker.endpoint}. Ctrl-C ends it.\n`);
        const asked = signal.aborted ? Promise.resolve() : once(signal, "abort");
        const ended = await Promise.race([worker.exited, asked.then(() => undefined)]);
        if (ended === undefined) return { json: {}, text: "The worker was ended." };
        const how = ended.signal ?? `exit code ${ended.code}`;
        throw new DepthkitError("WORKER_DIED", `The worker ended by itself: ${how}.`, {
          details: { exitCode: ended.code, signal: ended.signal },
        });
      }),
    );
}
