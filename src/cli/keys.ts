import type { Command } from "commander";
import { makeKeys } from "../index.ts";
import { runCommand } from "./command.ts";

interface Flags {
  trust: string[];
  json: boolean;
}

export function registerKeys(command: Command): void {
  command
    .argument("<file>", "the key file, such as laptop.keys; laptop.pub is written beside it")
    .option("--trust <files...>", "add these public keys (.pub files) to it", [])
    .option("--json", "print one JSON document", false)
    .action((file: string, flags: Flags) =>
      runCommand(flags, async () => {
        const made = await makeKeys(file, flags.trust.length === 0 ? {} : { trust: flags.trust });
        return {
          json: made,
          text: [
            `  key file     ${made.file} (secret: it stays on this machine)`,
            `  public key   ${made.publicFile} (give it to the other machine)`,
            `  trusts       ${made.trusted.join(", ") || "nobody yet: add --trust NAME.pub"}`,
          ].join("\n"),
        };
      }),
    );
}
