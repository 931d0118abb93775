import { type Command, Option } from "commander";

export interface RemoteFlags {
  worker?: string;
  keys?: string;
  takeOver?: boolean;
}

/** Commands whose work is on this machine. */
const localCommands = ["setup", "doctor", "push", "demo", "keys", "worker"];
let flags: RemoteFlags = {};

/** As they were given to the command that runs. */
export const remoteFlags = (): RemoteFlags => flags;

/** Flags of the program: they stand before or after the command's name. */
export function addRemoteFlags(program: Command): void {
  program
    .addOption(
      new Option(
        "--worker <url>",
        "work on a worker of another machine: tcp://host:port (docs/remote.md)",
      ).env("DEPTHKIT_WORKER"),
    )
    .addOption(new Option("--keys <file>", "the key file for it").env("DEPTHKIT_KEYS"))
    .option("--take-over", "end the session of the client that holds it")
    .hook("preAction", (_, command) => {
      const { worker, ...others } = program.opts<RemoteFlags>();
      const given = (name: string) => program.getOptionValueSource(name) === "cli";
      const local = localCommands.includes(command.name());
      flags = local || worker === undefined ? others : { worker, ...others };
      if (local && (given("worker") || given("takeOver"))) {
        command.error(
          `error: ${command.name()} works on this machine, where --worker and --take-over say nothing.`,
        );
      }
      const keysAreUsed = command.name() === "worker" || flags.worker !== undefined;
      if (given("keys") && !keysAreUsed) {
        command.error("error: --keys goes with --worker, or with the command worker.");
      }
      if (given("takeOver") && worker === undefined) {
        command.error("error: --take-over goes with --worker.");
      }
    });
}
