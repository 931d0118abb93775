import { type Command, Option } from "commander";
import {
  type Budget,
  type ModelStrategyName,
  modelStrategies,
  type Precision,
  precisions,
  type RecipeName,
  recipeNames,
  type UnitName,
  unitKinds,
} from "../index.ts";
import { parseBudget } from "./budget-flag.ts";
import { parseProtected, wholeNumber } from "./values.ts";

/** What commands that look at sets of units are told of which may go, and how they are chosen. */
export interface SetFlags {
  budget: Budget;
  recipe?: RecipeName;
  strategy?: ModelStrategyName;
  units?: (typeof unitKinds)[number][];
  candidates?: number;
  protect?: UnitName[] | "ends";
}

export interface PrecisionFlag {
  precision?: Precision;
}

/** How exactly `what` is measured. */
export function addPrecisionFlag(command: Command, what: string): Command {
  return command.addOption(
    new Option("--precision <name>", `${what}; screen: in bfloat16, faster (default: exact)`).choices(
      precisions,
    ),
  );
}

/** `goes`: whose budget it is; `conflicts`: flags that a recipe has its own of, besides those here. */
export function addSetFlags(command: Command, goes: string, conflicts: readonly string[] = []): Command {
  return command
    .requiredOption(
      "--budget <amount>",
      `${goes}: 5 units, attention:3,feed-forward:2, 25% of the parameters, or kv-bytes:30%`,
      parseBudget,
    )
    .addOption(
      new Option("--recipe <name>", "a published way to choose")
        .choices(recipeNames)
        .conflicts(["strategy", "units", ...conflicts]),
    )
    .addOption(
      new Option("--strategy <name>", "how sets are looked at (default: greedy)").choices(modelStrategies),
    )
    .addOption(new Option("--units <kinds...>", "who may go (default: block)").choices(unitKinds))
    .option("--candidates <n>", "only the n units of least cosine influence may go", wholeNumber(1))
    .option("--protect <units>", "units that stay, or `ends`: the first block and the last", parseProtected);
}
