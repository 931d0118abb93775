import { Command, type Option } from "commander";
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
  const required: Option[] = [];
  const give = await load();
  // Before the hooks of the command's own flags.
  command.allowExcessArguments().hook("preAction", () => {
    refuseExcess(command, required);
    const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined);
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  });
  give(command);
  // commander asks for what is missing before it looks for what it does not know, which is often the missing
  // flag with a letter too many. Its hooks run after both.
  for (const option of command.options.filter(({ mandatory }) => mandatory)) {
    required.push(option.makeOptionMandatory(false));
  }
  const title = examples.length === 1 ? "Example" : "Examples";
  command.addHelpText("after", ["", `${title}:`, ...examples.map((line) => `  ${line}`)].join("\n"));
}

/** commander's own error says that there are too many, and not what a text without a flag could have meant. */
function refuseExcess(command: Command, required: readonly Option[]): void {
  const known = command.registeredArguments;
  const extra = known.at(-1)?.variadic === true ? undefined : command.args[known.length];
  if (extra === undefined) return;
  const takes = known.length === 0 ? "nothing" : known.map((one) => `<${one.name()}>`).join(" ");
  const needed = required.map(({ flags }) => flags).join(", ");
  const hint = needed === "" ? "" : ` It needs ${needed}.`;
  command.error(
    `error: '${extra}' belongs to no flag, and '${command.name()}' takes ${takes} without one.${hint}`,
  );
}
