import { type Command, Option } from "commander";
import {
  type BaselineName,
  type Budget,
  baselineNames,
  type CallOptions,
  DepthkitError,
  type PruneContender,
  type PruneOptions,
  type PrunePlan,
  type PruneRecipeName,
  type PruneRecord,
  planPrune,
  prune,
  pruneRecipeNames,
  type StrategyName,
  strategies,
  type TrainingOptions,
  type UnitName,
  unitKinds,
} from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { corpusOptions, exportOptions } from "../schemas.ts";
import { parseBudget } from "./budget-flag.ts";
import { type CommandContext, runCommand } from "./command.ts";
import {
  addModelFlags,
  addTextFlags,
  type ModelFlags,
  modelOptionsOf,
  type TextFlags,
  textDataOf,
} from "./data-flags.ts";
import { describeExport } from "./export.ts";
import { addFormatFlags, type FormatFlags, formatOptionsOf } from "./format-flags.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import {
  addRepairSettings,
  closedFormNames,
  type RepairFlags,
  repairMethodOf,
  settingsGiven,
} from "./repair-flags.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addPrecisionFlag, type PrecisionFlag } from "./set-flags.ts";
import { growing, parseProtected, realNumber, wholeNumber } from "./values.ts";

interface Flags extends ModelFlags, TextFlags, FormatFlags, PrecisionFlag {
  budget: Budget;
  out: string;
  folder?: string;
  plan: boolean;
  units?: (typeof unitKinds)[number][];
  candidates?: number;
  protect?: UnitName[] | "ends";
  strategy?: StrategyName;
  evaluations?: number;
  minutes?: number;
  fit?: number;
  choose?: number[];
  report?: number;
  draw?: number;
  seed?: number;
  repair?: RepairFlags["method"] | "none";
  heal?: number;
  compare?: (BaselineName | PruneRecipeName)[];
  evaluateData?: string[];
  task?: string[];
  shots?: number;
}

/** Of the parts' corpora; how many sequences each has is said by the parts' own flags. */
const textStyles = { sequences: false, skip: false, numbers: false, separator: { escaped: true } } as const;
const exportStyles = { dtype: false, note: false, vision: false } as const;

export function registerPrune(command: Command): void {
  addTextFlags(addModelFlags(command))
    .requiredOption(
      "--budget <amount>",
      "what goes: 25% of the parameters, kv-bytes:30%, 5 units, or attention:3,feed-forward:2",
      parseBudget,
    )
    .requiredOption(
      "--out <path>",
      "the folder, or GGUF file, of the smaller model; it appears whole or not at all",
    )
    .option(
      "--folder <folder>",
      "for journals and the record; the same command goes on from it (default: --out with .run behind)",
    )
    .option("--plan", "say what it would do, and how long that takes, and stop", false)
    .optionsGroup("The choice:")
    .addOption(new Option("--units <kinds...>", "who may go (default: block)").choices(unitKinds))
    .option(
      "--candidates <n>",
      "the search looks at the n units of least cosine influence (default: half of them, or more)",
      wholeNumber(1),
    )
    .option("--protect <units>", "units that stay, or `ends`: the first block and the last", parseProtected)
    .addOption(
      new Option("--strategy <name>", "of the search (default: what suits the start and a limit)").choices(
        strategies,
      ),
    )
    .option("--evaluations <n>", "sets that the search evaluates at most", wholeNumber(1))
    .option("--minutes <n>", "what the searches may take, by the pace measured first", realNumber(0.01, 1e6));
  addPrecisionFlag(command, "how searches score sets, but for the best")
    .addOption(
      new Option(
        "--compare <names...>",
        `baselines and recipes at the same size (default: ${baselineNames.join(", ")})`,
      ).choices([...baselineNames, ...pruneRecipeNames]),
    )
    .option("--seed <n>", "of strategies that draw", wholeNumber(0))
    .optionsGroup("The parts of the text:")
    .option("--fit <n>", "sequences that repairs are fitted to (default: 32)", wholeNumber(1))
    .option("--choose <n...>", "sequences that decide, growing (default: 2 8)", growing)
    .option(
      "--report <n>",
      "held-out sequences that contenders are compared on (default: 16)",
      wholeNumber(4),
    )
    .option("--draw <n>", "which draw of the text, the first being 0", wholeNumber(0));
  addSchemaFlags(command, corpusOptions, textStyles)
    .optionsGroup("The repair, fitted to every contender:")
    .addOption(
      new Option("--repair <method>", "docs/repair.md says what each does (default: low-rank)").choices([
        ...closedFormNames,
        "none",
      ]),
    )
    .option("--heal <steps>", "train a LoRA on the winner for so many steps", wholeNumber(1));
  const rank = { help: "low-rank: rank of the map (default: 256, or the hidden size where that is less)" };
  const reference = {
    help:
      "emulated-update, low-rank, fold, scale: measure in the whole model, or in the one pruned and repaired " +
      "below each gap (default: pruned; of fold and scale: dense)",
  };
  addRepairSettings(command, closedFormNames, { rank, reference })
    .optionsGroup("What is measured besides:")
    .option("--evaluate-data <files...>", "held-out text of other kinds: perplexity")
    .option("--task <files...>", "questions: accuracy (docs/tasks.md)")
    .option("--shots <n>", "examples in front of each question (default: 5)", wholeNumber(0))
    .optionsGroup("What is saved:");
  addSchemaFlags(addFormatFlags(command), exportOptions, exportStyles).action(async (flags: Flags) => {
    const folder = flags.folder ?? `${flags.out}.run`;
    await runCommand({ ...flags, journal: flags.plan ? undefined : folder }, (context) =>
      run(flags, folder, context),
    );
  });
}

async function run(flags: Flags, folder: string, { signal, progress }: CommandContext) {
  const options = optionsOf(flags, { signal, onProgress: progress.update });
  return await withWorker(signal, async (kit) => {
    if (flags.plan) {
      const plan = await planPrune(kit, { ...options, folder });
      return { json: plan, text: describePlan(plan) };
    }
    const record = await prune(kit, {
      ...options,
      folder,
      onEvent: (event) =>
        progress.print(event.kind === "plan" ? describePlan(event.plan) : describeContender(event.contender)),
    });
    return { json: record, text: describeRecord(record, folder) };
  });
}

function optionsOf(flags: Flags, call: CallOptions): PruneOptions {
  const { budget, out, units, candidates, protect, strategy, evaluations, minutes, seed, compare } = flags;
  const { fit, choose, report, draw, evaluateData = [], task = [], shots, heal } = flags;
  const named = (files: readonly string[]) => Object.fromEntries(files.map((file) => [file, file]));
  const training: TrainingOptions = { steps: heal };
  return {
    model: flags.model,
    load: modelOptionsOf(flags),
    budget,
    data: textDataOf(flags),
    text: { ...schemaOptions(corpusOptions, flags, textStyles), ...given({ fit, choose, report, draw }) },
    out,
    export: { ...schemaOptions(exportOptions, flags, exportStyles), ...formatOptionsOf(flags) },
    players: units,
    candidates,
    protect,
    strategy,
    evaluations,
    minutes,
    precision: flags.precision,
    seed,
    repair: repairOf(flags),
    heal: heal === undefined ? undefined : { method: "lora", training },
    baselines: compare,
    evaluate: { texts: named(evaluateData), tasks: named(task), shots },
    ...call,
  };
}

function repairOf({ repair, ...flags }: Flags) {
  const settings = settingsGiven(flags);
  if (repair === undefined && settings.length === 0) return undefined;
  if (repair !== "none") return repairMethodOf({ ...flags, method: repair ?? "low-rank" });
  if (settings.length === 0) return null;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `--repair none puts nothing in place; leave out ${settings.join(", ")}.`,
  );
}

const given = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;

function describePlan({ removals, players, candidates, steps, besides, notes }: PrunePlan): string {
  const rows = [
    ...steps.map(({ name, strategy, evaluations, seconds }) => [
      name,
      strategy,
      formatCount(Math.ceil(evaluations)),
      formatSeconds(seconds),
    ]),
    ["repairs, held-out losses", "", "", formatSeconds(besides.judging)],
    ...(besides.evaluating > 0 ? [["other texts", "", "", formatSeconds(besides.evaluating)]] : []),
  ];
  return [
    `About ${removals} of ${players} units go; ${candidates.length} are looked at.`,
    renderTable(
      [
        { title: "step" },
        { title: "strategy" },
        { title: "sets", align: "right" },
        { title: "about", align: "right" },
      ],
      rows,
    ),
    ...noteLines(notes),
  ].join("\n");
}

function describeContender({ name, removed, removedLoss, repairedLoss }: PruneContender): string {
  const repaired = repairedLoss === null ? "" : `, ${formatNumber(repairedLoss)} repaired`;
  return `${name}: ${removed.join(", ")}; held-out loss ${formatNumber(removedLoss)}${repaired}`;
}

function describeRecord(record: PruneRecord, folder: string): string {
  const { parts, contenders, leftOut, shipped, wholeLoss, healing, proof, notes } = record;
  const { sequences, length } = parts.heldOut;
  const rows = contenders.map((one) => [
    `${one.name}${one.name === shipped.contender ? " *" : ""}`,
    one.removed.map((unit) => unit.replace("block.", "")).join(", "),
    formatNumber(one.removedLoss),
    one.repair ?? "",
    one.repairedLoss === null ? "" : formatNumber(one.repairedLoss),
    one.againstShipped === null
      ? ""
      : `${formatNumber(one.againstShipped.nats)} ± ${formatNumber(one.againstShipped.standardError)}`,
    formatCount(Math.ceil(one.evaluations)),
    formatSeconds(one.seconds),
  ]);
  const right = (title: string) => ({ title, align: "right" as const });
  return [
    describeExport(record.export),
    "",
    `Loss in nats per token on ${sequences} x ${length} held-out tokens; the whole model's is ` +
      `${formatNumber(wholeLoss)}.`,
    "",
    renderTable(
      [
        { title: "chosen by" },
        { title: "removed" },
        right("bare"),
        { title: "repair" },
        right("repaired"),
        right("above shipped"),
        right("sets"),
        right("time"),
      ],
      rows,
    ),
    "",
    shippedLine(shipped),
    ...(healing === null
      ? []
      : [
          `Healing changed the loss by ${formatNumber(healing.against.nats)} ± ` +
            `${formatNumber(healing.against.standardError)} ` +
            `nats${shipped.healed ? "" : " and was left out"}.`,
        ]),
    ...(proof.length === 0 ? [] : ["", renderProof(proof)]),
    ...noteLines([...leftOut.map(({ name, why }) => `${name} is left out. ${why}`), ...notes]),
    "",
    `The record: ${folder}/record.json`,
  ].join("\n");
}

function shippedLine({ contender, loss, healed }: PruneRecord["shipped"]): string {
  const how = healed ? ", healed" : "";
  return contender === "search"
    ? `* shipped${how}: loss ${formatNumber(loss)}.`
    : `* shipped${how}: loss ${formatNumber(loss)}. The search found no better set than ${contender} on ` +
        "this text.";
}

function renderProof(proof: PruneRecord["proof"]): string {
  type Measured = PruneRecord["proof"][number]["whole"];
  const shown = (scores: Measured) => {
    if ("chunk" in scores) return `perplexity ${formatNumber(Number(scores.perplexity))}`;
    const accuracy = typeof scores.acc === "number" ? scores.acc : scores.acc.micro;
    return `accuracy ${formatNumber(accuracy)}`;
  };
  const right = (title: string) => ({ title, align: "right" as const });
  const others = proof[0]?.beside.map(({ contender }) => right(contender)) ?? [];
  return renderTable(
    [{ title: "also measured on" }, right("whole"), right("shipped"), ...others],
    proof.map(({ name, whole, shipped, beside }) => [
      name,
      ...[whole, shipped, ...beside.map(({ scores }) => scores)].map(shown),
    ]),
  );
}
