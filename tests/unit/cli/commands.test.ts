import { Command } from "commander";
import { expect, test } from "vitest";
import { commands } from "../../../src/cli/commands.ts";

test.each(commands)("$name takes its flags itself, under no command of its own", async ({ name, load }) => {
  const command = new Command(name);
  (await load())(command);
  expect(command.commands).toEqual([]);
});
