import { type Command, Option } from "commander";
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  type RepairedSubnetwork,
  type RepairMethodOptions,
  type RepairReference,
  renderTable,
  type TrainingOptions,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { addCorpusFlags, type CorpusFlags, corpusOptions } from "./corpus-flags.ts";
import { realNumber, textData, wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, CorpusFlags {
  method: RepairMethodOptions["method"];
  save: string;
  overwrite: boolean;
  reference: RepairReference;
  skipTokens: number;
  rank?: number;
  ridge?: number;
  train: boolean;
  steps?: number;
  learningRate?: number;
  trainingBatch?: number;
  checkpoints?: string;
}

const methodNames = ["emulated-update", "bias", "low-rank", "fold", "patch", "replacement-block", "lora"];

export function registerRepair(program: Command): void {
  const command = program
    .command("repair")
    .description("Put something cheap where units were removed, or heal the rest, and save what comes out.");
  addCorpusFlags(addSubjectFlags(command))
    .addOption(
      new Option("--method <name>", "docs/repair.md says what each does")
        .choices(methodNames)
        .makeOptionMandatory(),
    )
    .requiredOption(
      "--save <folder>",
      "where the removed units and repairs go; evaluate, generate and export read it",
    )
    .option("--overwrite", "replace a subnetwork saved there before", false)
    .addOption(
      new Option("--reference <model>", "measure in the whole model, or in the one pruned below each gap")
        .choices(["dense", "pruned"])
        .default("dense"),
    )
    .option("--skip-tokens <n>", "first tokens of each sequence that no statistic counts", wholeNumber(0), 0)
    .option("--rank <n>", "of low-rank and lora", wholeNumber(1))
    .option(
      "--ridge <x>",
      "of low-rank and fold, in units of the input's mean square",
      realNumber(0, Number.MAX_VALUE),
    )
    .option("--train", "train where the method can do without: low-rank, patch, replacement-block", false)
    .option("--steps <n>", "optimiser steps of a training", wholeNumber(1))
    .option("--learning-rate <x>", "of a training", realNumber(0, Number.MAX_VALUE))
    .option("--training-batch <n>", "sequences a training pass", wholeNumber(1))
    .option("--checkpoints <folder>", "keep training states here; an interrupted training goes on from them")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const corpus = await model.loadCorpus(textData(flags), { ...corpusOptions(flags), ...call });
          const repaired = await subnetwork.repair(corpus, {
            ...methodOptions(flags),
            skipTokens: flags.skipTokens,
            ...call,
          });
          await repaired.save(flags.save, { overwrite: flags.overwrite });
          const { removed, repairs, report } = repaired;
          return {
            json: { model: model.info, corpus: corpus.info, removed, repairs, report, folder: flags.save },
            text: describe(repaired, flags),
          };
        }),
      );
    });
}

function methodOptions(flags: Flags): RepairMethodOptions {
  const training = trainingOptions(flags);
  const trained = flags.train ? { training } : {};
  const rank = flags.rank === undefined ? {} : { rank: flags.rank };
  const ridge = flags.ridge === undefined ? {} : { ridge: flags.ridge };
  const { reference } = flags;
  switch (flags.method) {
    case "emulated-update":
      return { method: flags.method, reference };
    case "bias":
      return { method: flags.method, training };
    case "low-rank":
      return {
        method: flags.method,
        reference,
        ...rank,
        ...ridge,
        ...trained,
        fit: flags.train ? "trained" : "closed-form",
      };
    case "fold":
      return { method: flags.method, reference, ...ridge };
    case "lora":
      return { method: flags.method, ...rank, training };
    default:
      return { method: flags.method, ...trained };
  }
}

function trainingOptions({ steps, learningRate, trainingBatch, checkpoints }: Flags): TrainingOptions {
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(trainingBatch === undefined ? {} : { batchSize: trainingBatch }),
    ...(checkpoints === undefined ? {} : { folder: checkpoints }),
  };
}

function describe({ removed, report }: RepairedSubnetwork, flags: Flags): string {
  const parameters = report.repairs.reduce((sum, repair) => sum + repair.parameters, 0);
  const lines = [
    `Repaired the model without ${removed.join(", ") || "nothing"} by ${flags.method}; saved in ${flags.save}`,
    `${report.sequences} sequences, ${formatCount(report.tokens)} tokens, first ${report.skipTokens} of each left out; ` +
      `${formatSeconds(report.seconds)}, at most ${formatBytes(report.peakBytes)} of memory`,
    `adds ${formatCount(parameters)} parameters; dense weights ${report.weightsUnchanged ? "unchanged" : "CHANGED"}`,
  ];
  if (report.gaps.length > 0) {
    const rows = report.gaps.map((gap) => [
      gap.removed.join("+"),
      formatNumber(gap.removedError),
      formatNumber(gap.repairedError),
    ]);
    lines.push(
      "",
      "Squared error of the stream behind each gap, by the square of what was removed",
      renderTable(
        [{ title: "gap" }, { title: "removed", align: "right" }, { title: "repaired", align: "right" }],
        rows,
      ),
    );
  }
  if (report.training !== null) {
    const { steps, bestStep, trained, tokens, points } = report.training;
    const validations = points.flatMap(({ validation }) => (validation === null ? [] : [validation]));
    lines.push(
      "",
      `Trained ${formatCount(trained)} parameters for ${steps} steps on ${formatCount(tokens)} tokens; kept step ${bestStep}`,
      ...(validations.length === 0
        ? []
        : [
            `held-out objective: ${formatNumber(validations[0] ?? 0)} before, ${formatNumber(Math.min(...validations))} at best`,
          ]),
    );
  }
  return [...lines, ...report.notes.map((note) => `Note: ${note}`)].join("\n");
}
