import { type Command, Option } from "commander";
import type { RepairedSubnetwork } from "../index.ts";
import { formatBytes, formatCount, formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { repairFitOptions, repairSaveOptions } from "../schemas.ts";
import { checkJournal, runCommand } from "./command.ts";
import { addCorpusFlags, type CorpusFlags, corpusOptionsOf, textDataOf } from "./data-flags.ts";
import { corpusTokens, withTokens } from "./first-tokens.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addRepairFlags, methodNames, type RepairFlags, repairMethodOf } from "./repair-flags.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, CorpusFlags, RepairFlags {
  save: string;
  checkpoints?: string;
}

export function registerRepair(command: Command): void {
  addCorpusFlags(addSubjectFlags(command))
    .addOption(
      new Option("--method <name>", "docs/repair.md says what each does")
        .choices(methodNames)
        .makeOptionMandatory(),
    )
    .requiredOption(
      "--save <folder>",
      "where the removed units and repairs go; evaluate, generate and export read it",
    );
  addSchemaFlags(command, repairSaveOptions);
  addSchemaFlags(command, repairFitOptions);
  addRepairFlags(command).action(async (flags: Flags) => {
    await runCommand({ ...flags, journal: flags.checkpoints }, ({ signal, progress }) => {
      const method = repairMethodOf(flags);
      return withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const saving = schemaOptions(repairSaveOptions, flags);
        await kit.checkTarget(flags.save, { kind: "repair", overwrite: saving.overwrite, signal });
        await checkJournal(kit, flags.checkpoints, signal);
        const { model, subnetwork } = await loadSubject(kit, flags, call);
        const corpus = await model.loadCorpus(textDataOf(flags), { ...corpusOptionsOf(flags), ...call });
        const options = { ...method, ...schemaOptions(repairFitOptions, flags), ...call };
        const repaired = await subnetwork.repair(corpus, options);
        await repaired.save(flags.save, saving);
        const { removed, repairs, report } = repaired;
        return {
          json: { model: model.info, corpus: corpus.info, removed, repairs, report, folder: flags.save },
          text: withTokens(describe(repaired, flags), flags, [corpusTokens(corpus)]),
        };
      });
    });
  });
}

type Gap = RepairedSubnetwork["report"]["gaps"][number];

/** What only some methods say of a gap. */
const findings: readonly [title: string, of: (gap: Gap) => number | null][] = [
  ["factor", ({ factor }) => factor],
  ["ridge chosen", ({ ridge }) => ridge],
  ["held out", ({ heldOutError }) => heldOutError],
];

function renderGaps(gaps: readonly Gap[]): string {
  const own = findings.filter(([, of]) => gaps.some((gap) => of(gap) !== null));
  const titles = ["removed", "repaired", ...own.map(([title]) => title)];
  return renderTable(
    [{ title: "gap" }, ...titles.map((title) => ({ title, align: "right" as const }))],
    gaps.map((gap) => [
      gap.removed.join("+"),
      ...[gap.removedError, gap.repairedError, ...own.map(([, of]) => of(gap))].map((value) =>
        value === null ? "" : formatNumber(value),
      ),
    ]),
  );
}

function describe({ removed, report }: RepairedSubnetwork, flags: Flags): string {
  const parameters = report.repairs.reduce((sum, repair) => sum + repair.parameters, 0);
  const lines = [
    `Repaired the model without ${removed.join(", ") || "nothing"} by ${flags.method}; saved in ` +
      `${flags.save}`,
    `${report.sequences} sequences, ${formatCount(report.tokens)} tokens, first ${report.skipTokens} of ` +
      `each left out; ` +
      `${formatSeconds(report.seconds)}, at most ${formatBytes(report.peakBytes)} of memory`,
    `adds ${formatCount(parameters)} parameters; dense weights ` +
      `${report.weightsUnchanged ? "unchanged" : "CHANGED"}`,
  ];
  if (report.gaps.length > 0) {
    lines.push(
      "",
      "Squared error of the stream behind each gap, by the square of what was removed",
      renderGaps(report.gaps),
    );
  }
  if (report.training !== null) {
    const { steps, bestStep, trained, tokens, points } = report.training;
    const validations = points.flatMap(({ validation }) => (validation === null ? [] : [validation]));
    lines.push(
      "",
      `Trained ${formatCount(trained)} parameters for ${steps} steps on ${formatCount(tokens)} tokens; ` +
        `kept step ${bestStep}`,
      ...(validations.length === 0
        ? []
        : [
            `held-out objective: ${formatNumber(validations[0] ?? 0)} before, ` +
              `${formatNumber(Math.min(...validations))} at best`,
          ]),
    );
  }
  return [...lines, ...noteLines(report.notes)].join("\n");
}
