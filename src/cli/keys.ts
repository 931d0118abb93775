import type { Command } from "commander";
import { makeKeys } from "../index.ts";
import { runCommand } from "./command.ts";

interface Flags {
  trust: string[];
  json: boolean;
}

export function registerKeys(program: Command): void {
  program
    .command("keys")
    .description("Make the key file of a worker that listens, or of its client, or let one trust the other.")
    .argument("<file>", "the key file, such as laptop.keys; laptop.pub is written beside it")
    .option("--trust <files...>", "add these public keys (.pub files) to it", [])
    .option("--json", "print one JSON document", false)
    .action((file: string, flags: Flags) =>
      runCommand(flags, async () => {
        const made = makeKeys(file, flags.trust.length === 0 ? {} : { trust: flags.trust });
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
