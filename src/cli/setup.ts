import { type Command, Option } from "commander";
import {
  type ExtraName,
  extraNames,
  type SetupProgress,
  type SetupResult,
  setup,
  type TorchChoice,
  torchChoices,
} from "../index.ts";
import { runCommand } from "./command.ts";
import type { ProgressView } from "./terminal/progress-view.ts";

interface SetupFlags {
  force: boolean;
  prune: boolean;
  torch: TorchChoice;
  with: ExtraName[];
  json: boolean;
}

export function registerSetup(command: Command): void {
  command
    .option("--force", "make both anew even where they look whole", false)
    .option("--prune", "also remove the environments of other versions of depthkit", false)
    .addOption(
      new Option("--torch <build>", "the build of torch; auto: the one that is there, else what fits")
        .choices(torchChoices)
        .argParser((build: string) => build) // `setup` refuses the others, and says why
        .default("auto"),
    )
    .addOption(
      new Option("--with <extras...>", "also install what is optional").choices(extraNames).default([]),
    )
    .option("--json", "print one JSON document", false)
    .action((flags: SetupFlags) =>
      runCommand(flags, async ({ signal, progress }) => {
        const { force, prune, torch, with: extras } = flags;
        const result = await setup({
          force,
          prune,
          torch,
          with: extras,
          signal,
          onProgress: showSetup(progress),
        });
        return { json: result, text: textOf(result) };
      }),
    );
}

/** Shows set-up's progress in a view; in a log each message once, though pip comes back to some. */
function showSetup(view: ProgressView, repeat = process.stderr.isTTY): (progress: SetupProgress) => void {
  const told = new Set<string>();
  let current = "";
  return ({ step, phase, done, total, unit }) => {
    if (step === "done" || (!repeat && phase !== current && told.has(phase))) return;
    told.add(phase);
    current = phase;
    const scale = unit === "bytes" ? 1e6 : 1;
    view.update({
      phase,
      done: Math.floor(done / scale),
      total: total === null ? null : Math.ceil(total / scale),
      unit: unit === "bytes" ? "MB" : unit,
    });
  };
}

function textOf({ python, managed, model, extras, pruned }: SetupResult): string {
  return [
    "Ready.",
    `  Python       ${python}${managed ? "" : " (DEPTHKIT_PYTHON)"}`,
    `  ${model.name} ${model.folder}`,
    ...extras.map((extra) => `  with         ${extra}`),
    ...pruned.map((folder) => `  removed      ${folder}`),
  ].join("\n");
}
