import { Command } from "commander";
import { expect, test } from "vitest";
import {
  addRepairFlags,
  addRepairSettings,
  closedFormOf,
  type RepairFlags,
  repairMethodOf,
  settingsGiven,
} from "../../../src/cli/repair-flags.ts";
import { gapRepairMethods } from "../../../src/schemas.ts";

function read(...args: string[]) {
  const command = addRepairFlags(new Command().exitOverride().option("--method <name>"));
  command.configureOutput({ writeErr: () => {} });
  return repairMethodOf(command.parse(args, { from: "user" }).opts<RepairFlags>());
}

test.each([
  [["fold"], {}],
  [["fold", "--ridge", "auto"], { ridge: "auto" }],
  [["fold", "--ridge", "none"], { ridge: null }],
  [["fold", "--objective", "cosine"], { objective: "cosine" }],
  [["low-rank", "--ridge", "0.5"], { ridge: 0.5 }],
  [["low-rank", "--no-constant", "--rank", "4"], { constant: false, rank: 4 }],
  [["scale", "--ratio", "least-squares"], { ratio: "least-squares" }],
  [["partial", "--tuned", "neighbours", "--no-head"], { tuned: "neighbours", head: false, training: {} }],
  [["partial", "--count", "2"], { count: 2, training: {} }],
])("%j are the options that were given and no others", ([method, ...flags], options) => {
  expect(read("--method", method ?? "", ...flags)).toEqual({ method, ...options });
});

test("a flag of another method is refused by name, with those there are", () => {
  expect(() => read("--method", "scale", "--ridge", "auto")).toThrow(
    "--ridge is no flag of the repair scale; its flags: --reference, --ratio",
  );
  expect(() => read("--method", "fold", "--no-head")).toThrow(/--no-head is no flag of the repair fold/);
});

test("a word that a number's flag does not take is refused", () => {
  expect(() => read("--method", "fold", "--ridge", "often")).toThrow(/often/);
});

test("a search has the settings of the methods without training, and their words", () => {
  const command = addRepairSettings(new Command().exitOverride(), gapRepairMethods);
  const names = command.options.map(({ long }) => long);
  expect(names).toEqual(["--reference", "--scale", "--rank", "--input", "--no-constant", "--ridge"]);
  const flags = command.parse(["--rank", "4", "--ridge", "auto"], { from: "user" }).opts();
  expect(closedFormOf("low-rank", flags)).toEqual({ method: "low-rank", rank: 4, ridge: "auto" });
  expect(() => closedFormOf("patch", flags)).toThrow(
    "--rank is no flag of the repair patch; its flags: none.",
  );
  expect(settingsGiven(flags)).toEqual(["--rank", "--ridge"]);
});
