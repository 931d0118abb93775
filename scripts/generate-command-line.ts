/**
 * Writes docs/reference/command-line.md: what each command's help says. `--check` as generate-contract.ts.
 */
import type { Command } from "commander";
import { commands } from "../src/cli/commands.ts";
import { addCommand, completeCommand, makeProgram } from "../src/cli/program.ts";
import { writeGenerated } from "./generated-files.ts";

let said = "";
const program = makeProgram().configureOutput({
  writeOut: (text) => {
    said += text;
  },
  getOutHelpWidth: () => 100,
});

/** All of a help, with what is added before and after it. */
function helpOf(command: Command): string {
  said = "";
  command.outputHelp();
  return `\`\`\`text\n${said.trimEnd()}\n\`\`\``;
}

const made = commands.map((entry) => ({ entry, command: addCommand(program, entry) }));
for (const { entry, command } of made) await completeCommand(command, entry);
const sections = made.map(({ entry, command }) => `## depthkit ${entry.name}\n\n${helpOf(command)}`);
const text = `# Command line

What \`depthkit --help\` and the help of each command say. This page is written by \`npm run generate\`.

${helpOf(program)}

${sections.join("\n\n")}
`;
writeGenerated({ "docs/reference/command-line.md": text });
