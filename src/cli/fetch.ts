import type { Command } from "commander";
import { formatBytes } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { withRemoteWorker } from "./remote.ts";

export function registerFetch(command: Command): void {
  command
    .argument("<folder>", "the folder that was written there")
    .argument("<target>", "the folder to make here; it appears whole or not at all")
    .option("--json", "print one JSON document", false)
    .action((folder: string, target: string, flags: { json: boolean }) =>
      runCommand(flags, ({ signal, progress }) =>
        withRemoteWorker("fetch", signal, async (kit) => {
          const fetched = await kit.fetch(folder, target, { signal, onProgress: progress.update });
          const size = formatBytes(fetched.fetchedBytes);
          const text = `${fetched.folder}: ${fetched.files.length} files, ${size}`;
          return { json: fetched, text };
        }),
      ),
    );
}
