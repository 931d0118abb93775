import { type Command, Option } from "commander";
import {
  type CallOptions,
  type Corpus,
  DepthkitError,
  type ExportFormat,
  type GapRepairOptions,
  type InfluenceScoreName,
  influenceScoreNames,
  type Measure,
  type Model,
  type ModelSearch,
  type ModelSearchOptions,
  measures,
  type RecipeName,
  recipes,
  type StartRecipe,
  type Subnetwork,
  startRecipes,
} from "../index.ts";
import { formatCount, formatNumber, renderTable } from "../report/index.ts";
import { corpusOptions, exportFormats, gapRepairMethods, repairFitOptions } from "../schemas.ts";
import { checkJournal, runCommand } from "./command.ts";
import { addModelFlags, addTextFlags, type ModelFlags, type TextFlags, textDataOf } from "./data-flags.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addRepairSettings, type ClosedForm, closedFormOf, settingsGiven } from "./repair-flags.ts";
import { addSchemaFlags, flagNames, schemaOptions } from "./schema-flags.ts";
import { addPrecisionFlag, addSetFlags, type PrecisionFlag, type SetFlags } from "./set-flags.ts";
import { loadModel } from "./subject.ts";
import { growing, wholeNumber } from "./values.ts";

interface Flags extends ModelFlags, TextFlags, SetFlags, PrecisionFlag {
  scores?: InfluenceScoreName;
  fit: number;
  choose?: readonly number[];
  report: number;
  draw: number;
  reportData?: string[];
  task?: string;
  shots?: number;
  value?: Measure;
  repair?: ClosedForm;
  runs?: number;
  evaluations?: number;
  exportable?: ExportFormat;
  pattern?: "keep";
  start?: StartRecipe[];
  seed: number;
  journal?: string;
  save?: string;
}

/** Of the parts' corpora; how many sequences each has is said by the parts' own flags. */
const textStyles = { sequences: false, skip: false, numbers: false, separator: { escaped: true } } as const;

/** Of measuring what repairs are fitted to. */
const fitStyles = { batchSize: { name: "repairBatch" } } as const;

export function registerSearch(command: Command): void {
  addTextFlags(addModelFlags(command));
  addSchemaFlags(command, corpusOptions, textStyles);
  addOwnFlags(command);
  const reference = {
    help:
      "emulated-update, low-rank: measure the winner's own in the whole model, or in the one pruned and " +
      "repaired below each gap (default: pruned)",
  };
  addSchemaFlags(addRepairSettings(command, gapRepairMethods, { reference }), repairFitOptions, fitStyles);
  command.action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) => {
      const repair = repairOf(flags);
      return withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        await checkJournal(kit, flags.journal, signal);
        if (flags.save !== undefined) await kit.checkTarget(flags.save, { kind: "repair", signal });
        const model = await loadModel(kit, flags, call);
        const found = await search(model, flags, repair, call);
        if (flags.save !== undefined) await found.subnetwork.save(flags.save, call);
        const { subnetwork: _, ...result } = found;
        return { json: { model: model.info, search: result }, text: describe(found, flags) };
      });
    });
  });
}

function addOwnFlags(command: Command): void {
  addSetFlags(command, "what goes", ["scores"])
    .addOption(
      new Option(
        "--scores <metric>",
        "lowest, iterative, knapsack: influence (default: leave-one-out)",
      ).choices(influenceScoreNames),
    )
    .option("--fit <n>", "sequences to measure influence on and to fit repairs to", wholeNumber(0), 32)
    .option(
      "--choose <n...>",
      "sequences that decide; several numbers: text that grows (default: 16)",
      growing,
    )
    .option("--report <n>", "sequences that say what the choice is worth on unseen text", wholeNumber(0), 16)
    .option("--draw <n>", "which draw of the text, the first being 0", wholeNumber(0), 0)
    .option("--report-data <files...>", "report on this text too: another kind than it was chosen on")
    .option("--task <file>", "decide by the questions of this file in place of text")
    .option("--shots <n>", "examples in front of each question of --task", wholeNumber(0, 5))
    .addOption(new Option("--value <measure>", "which measure decides").choices(measures))
    .addOption(
      new Option(
        "--repair <method>",
        "score every set with this repair in place, and give it to the winner",
      ).choices(gapRepairMethods),
    )
    .option(
      "--runs <n>",
      "with --repair: runs of up to n blocks get a repair of their own (default: 2)",
      wholeNumber(1),
    )
    .option("--evaluations <n>", "sets to evaluate at most", wholeNumber(1))
    .addOption(
      new Option(
        "--exportable <format>",
        "what the choice must go into: what this format does not hold is never chosen",
      ).choices(exportFormats),
    )
    .addOption(new Option("--pattern <rule>", "keep: blocks of two kinds keep their order").choices(["keep"]))
    .addOption(
      new Option(
        "--start <recipes...>",
        "beam, evolutionary, policy-gradient, surrogate: start from what these choose " +
          "(default, over blocks: llm-streamline shortgpt)",
      ).choices(startRecipes),
    );
  addPrecisionFlag(command, "how sets are scored, but for the best")
    .option("--seed <n>", "of strategies that draw", wholeNumber(0), 0)
    .option("--journal <folder>", "keep every evaluated set here; an interrupted search goes on from it")
    .option("--save <folder>", "save the winner, with its repairs, for --subnetwork of other commands");
}

async function search(
  model: Model,
  flags: Flags,
  repair: GapRepairOptions | undefined,
  call: CallOptions,
): Promise<ModelSearch<Subnetwork>> {
  const corpus = schemaOptions(corpusOptions, flags, textStyles);
  const { fit, choose = [16], report, draw, budget, recipe, strategy, candidates, protect, value } = flags;
  const split = { ...corpus, fit, choose, report, draw, ...call };
  const parts = await model.splitText(textDataOf(flags), split);
  const reportOn: Corpus[] = parts.report === undefined ? [] : [parts.report];
  for (const file of flags.reportData ?? []) {
    const sequences = report === 0 ? null : report;
    reportOn.push(await model.loadCorpus(file, { ...corpus, sequences, ...call }));
  }
  const { task: file, shots } = flags;
  if (file === undefined && shots !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "--shots is of the questions of --task; give both or neither.",
    );
  }
  const task = file === undefined ? undefined : await model.loadTask(file, { shots, ...call });
  const options: ModelSearchOptions = {
    budget,
    recipe,
    strategy,
    players: flags.units,
    candidates,
    protect,
    scores: flags.scores === undefined ? undefined : { metric: flags.scores },
    fit: parts.fit,
    choose: task ?? parts.choose,
    report: reportOn.length === 0 ? undefined : reportOn,
    value,
    repair,
    evaluations: flags.evaluations,
    exportable: flags.exportable,
    pattern: flags.pattern,
    start: flags.start,
    precision: flags.precision,
    seed: flags.seed,
    journal: flags.journal,
    ...call,
  };
  return await model.search(options);
}

function repairOf(flags: Flags): GapRepairOptions | undefined {
  const { repair, runs } = flags;
  const fitting = schemaOptions(repairFitOptions, flags, fitStyles);
  if (repair !== undefined) return { ...closedFormOf(repair, flags), ...fitting, runs };
  const names = flagNames(repairFitOptions, fitStyles);
  const given = [
    ...settingsGiven(flags),
    ...Object.keys(fitting).map((key) => names.get(key)),
    ...(runs === undefined ? [] : ["--runs"]),
  ];
  if (given.length === 0) return undefined;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Without --repair there is nothing for ${given.join(", ")} to say.`,
  );
}

function describe(found: ModelSearch<Subnetwork>, flags: Flags): string {
  const { removed, kept, strategy, recipe, evaluations, blockEvaluations, untried, parts } = found;
  const way = recipe === null ? `by ${strategy}` : `by the recipe ${recipe} (${paperOf(recipe)})`;
  const rows = parts.map(({ part, data, measure, whole, removed: bare, repaired }) => [
    part === "choose" ? "chosen on" : "reported on",
    sizeOf(data),
    measure,
    formatNumber(whole),
    formatNumber(bare),
    ...(flags.repair === undefined ? [] : [formatNumber(repaired ?? Number.NaN)]),
  ]);
  return [
    `Remove ${removed.join(", ")}`,
    `${removed.length} of ${removed.length + kept.length} units ${way}; ` +
      `${formatCount(Math.ceil(evaluations))} sets, ` +
      `${formatCount(Math.round(blockEvaluations))} block evaluations, seed ${flags.seed}`,
    ...(untried.length === 0 ? [] : [`in no evaluated set: ${untried.join(", ")}`]),
    "",
    renderTable(
      [
        { title: "text" },
        { title: "size" },
        { title: "measure" },
        { title: "whole", align: "right" },
        { title: "removed", align: "right" },
        ...(flags.repair === undefined ? [] : [{ title: "repaired", align: "right" as const }]),
      ],
      rows,
    ),
    ...noteLines(found.notes),
  ].join("\n");
}

function paperOf(recipe: RecipeName): string {
  const { paper, arXiv } = recipes[recipe];
  return paper === null ? "a control" : `${paper}, arXiv ${arXiv}`;
}

function sizeOf(data: ModelSearch<Subnetwork>["parts"][number]["data"]): string {
  return "length" in data
    ? `${data.sequences} x ${data.length} tokens`
    : `${data.items} questions, ${data.shots} shots`;
}
