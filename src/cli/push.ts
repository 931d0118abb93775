import type { Command } from "commander";
import type { HubPush } from "../index.ts";
import { formatBytes } from "../report/index.ts";
import { hubPushOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";

interface Flags {
  json: boolean;
}

export function registerPush(command: Command): void {
  command
    .argument("<path>", "a folder or GGUF file that `depthkit export` wrote")
    .argument("<repo>", "the repository, as OWNER/NAME; it is made where there is none");
  addSchemaFlags(command, hubPushOptions)
    .option("--json", "print one JSON document", false)
    .action((path: string, repo: string, flags: Flags) =>
      runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const options = schemaOptions(hubPushOptions, flags);
          const pushed = await kit.push(path, repo, { ...options, signal, onProgress: progress.update });
          return { json: pushed, text: describe(pushed) };
        }),
      ),
    );
}

function describe({ url, revision, commit, created, files, bytes, deleted }: HubPush): string {
  return [
    `${url}${created ? " (made for it)" : ""}`,
    `  ${files.length} files, ${formatBytes(bytes)}, in commit ${commit} of ${revision}`,
    ...(deleted.length === 0 ? [] : [`  replaced: ${deleted.join(", ")} are gone, and stay in the history`]),
  ].join("\n");
}
