import { type Command, Option } from "commander";
import { Depthkit, DepthkitError } from "../index.ts";

interface RemoteFlags {
  worker?: string;
  keys?: string;
  takeOver?: boolean;
}

/** Commands whose work is on this machine. */
const localCommands = ["setup", "doctor", "demo", "keys", "worker"];
let flags: RemoteFlags = {};

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

/** The key file that was given, for commands that cannot do without. */
export function requireKeys(what: string): string {
  if (flags.keys !== undefined) return flags.keys;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `${what} needs a key file: nothing goes unencrypted from machine to machine. Give --keys FILE, which ` +
      "`depthkit keys FILE` makes (docs/remote.md).",
  );
}

/** Runs `work` with a worker of this machine that is gone afterwards, or with the remote one that was named. */
export async function withWorker<T>(work: (kit: Depthkit) => Promise<T>): Promise<T> {
  await using kit = flags.worker === undefined ? await Depthkit.start() : await connect(flags.worker);
  return await work(kit);
}

/** The same for what only a remote one can do. */
export function withRemoteWorker<T>(what: string, work: (kit: Depthkit) => Promise<T>): Promise<T> {
  if (flags.worker !== undefined) return withWorker(work);
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `${what} needs a remote worker: give --worker tcp://host:port.`,
  );
}

function connect(url: string): Promise<Depthkit> {
  return Depthkit.connect(url, {
    keys: requireKeys("--worker"),
    takeOver: flags.takeOver,
    onLink: (change) => {
      const words = change.state === "lost" ? `was lost: ${change.reason}. Trying again.` : "is back.";
      process.stderr.write(`\nNote: the link to ${url} ${words}\n`);
    },
  });
}
