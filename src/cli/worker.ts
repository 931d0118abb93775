import { once } from "node:events";
import type { Command } from "commander";
import { DepthkitError, listenWorker } from "../index.ts";
import { runCommand } from "./command.ts";
import { requireKeys } from "./remote.ts";
import { realNumber } from "./values.ts";

interface Flags {
  listen: string;
  keep: number;
}

export function registerWorker(command: Command): void {
  command
    .requiredOption("--listen <url>", "where: tcp://host:port; host * is every network of this machine")
    .option("--keep <seconds>", "how long a session outlives its link", realNumber(1, 1e9), 300)
    .action((flags: Flags) =>
      runCommand({}, async ({ signal }) => {
        const keys = requireKeys("--listen");
        const { listen, keep: keepSeconds } = flags;
        await using worker = await listenWorker({ listen, keys, keepSeconds, verbose: true, signal });
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
