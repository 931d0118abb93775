import { Command } from "commander";
import { packageVersion } from "../platform/package-root.ts";
import type { CommandEntry } from "./commands.ts";
import { addRemoteFlags } from "./remote-flags.ts";

/** The command line without its commands, which are added by `addCommand`. */
export function makeProgram(): Command {
  const program = new Command("depthkit")
    .description("Take Hugging Face LLMs apart along their depth: measure, remove, compare, save.")
    .version(packageVersion())
    .showHelpAfterError("(depthkit <command> --help lists what it takes)")
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong arguments, 3 set-up needed, 130 cancelled.",
    )
    .exitOverride();
  addRemoteFlags(program);
  return program;
}

/** Adds a command as the list of them shows it: it copies the program's settings of this moment. */
export const addCommand = (program: Command, { name, description }: CommandEntry): Command =>
  program.command(name).description(description);

/** Gives a command its flags, its action and the examples of its help. */
export async function completeCommand(command: Command, { examples, load }: CommandEntry): Promise<void> {
  (await load())(command);
  const title = examples.length === 1 ? "Example" : "Examples";
  command.addHelpText("after", ["", `${title}:`, ...examples.map((line) => `  ${line}`)].join("\n"));
}
