import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { item } from "../arrays.ts";
import {
  type ExportInfo,
  Influence,
  type Plan,
  pythonReference,
  runPlan,
  type StudyRecord,
  studyRows,
} from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderBars, renderTable } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { describeExport } from "./export.ts";
import { addTokensFlag, type Tokenised, type TokensFlag, withTokens } from "./first-tokens.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { wholeNumber } from "./values.ts";

const bundled = "smollm2-135m";

interface Flags extends TokensFlag {
  remove: number;
  out: string;
  json: boolean;
}

export function registerDemo(command: Command): void {
  command
    .option("--remove <n>", "blocks to remove from the model that is saved", wholeNumber(1), 4)
    .option("--out <folder>", "where the record and the smaller model go", "depthkit-demo")
    .option("--json", "print one JSON document", false);
  addTokensFlag(command).action(async (flags: Flags) => {
    await runCommand({ ...flags, journal: flags.out }, async ({ signal, progress }) => {
      const startedAt = performance.now();
      const call = { signal, onProgress: progress.update };
      const plan = demoPlan(await pythonReference(), flags.remove);
      const smaller = join(flags.out, `smollm2-135m-without-${flags.remove}-blocks`);
      return withWorker(signal, async (kit) => {
        // The folder is the demo's own.
        await kit.checkTarget(smaller, { kind: "export", overwrite: true, signal });
        forgetFinishedRun(flags.out);
        const record = await runPlan(kit, plan, { folder: flags.out, ...call });
        const removed = record.rankings[0]?.sets.at(-1)?.removed ?? [];
        await using model = await kit.loadModel(bundled, call);
        const saved = await model.without(removed).export(smaller, {
          format: "huggingface",
          overwrite: true,
          note:
            `The blocks of least cosine influence on ${record.influence[0]?.data.tokens} tokens of the ` +
            `Python language reference.`,
          ...call,
        });
        const seconds = (performance.now() - startedAt) / 1000;
        return {
          json: { record, export: saved, seconds },
          text: withTokens(describe(record, saved, seconds, flags.out), flags, tokensOf(record)),
        };
      });
    });
  });
}

/** Every other chapter calibrates, the rest evaluates: nothing is scored on text it was chosen by. */
function demoPlan(chapters: readonly string[], remove: number): Plan {
  const every = (start: number) => chapters.filter((_, index) => index % 2 === start);
  const counts = [...new Set([1, Math.ceil(remove / 2), remove])];
  return {
    model: bundled,
    calibration: { data: { texts: every(0) }, sequences: 8, length: 256 },
    rankings: [{ by: "influence" }],
    removals: counts,
    evaluations: [{ kind: "perplexity", data: { texts: every(1) }, chunk: 512, maxChunks: 4 }],
    texts: {
      prompts: ["What is a prime number? Answer in one sentence."],
      where: { counts: [0, remove] },
      chat: true,
      maxNewTokens: 48,
    },
  };
}

/** A run that was cut short goes on where it was; one that ended is run anew. */
function forgetFinishedRun(folder: string): void {
  if (!existsSync(join(folder, "record.json"))) return;
  for (const name of ["record.json", "steps.jsonl"]) rmSync(join(folder, name), { force: true });
}

function tokensOf({ calibrations, evaluations }: StudyRecord): Tokenised[] {
  const [calibration] = calibrations;
  const chunk = evaluations[0]?.protocol["firstTokens"] as Tokenised["firstTokens"] | undefined;
  return [
    ...(calibration === undefined
      ? []
      : [{ name: "the first sequence", firstTokens: calibration.measured.firstTokens }]),
    ...(chunk === undefined ? [] : [{ name: "the first chunk", firstTokens: chunk }]),
  ];
}

function describe(record: StudyRecord, saved: ExportInfo, seconds: number, folder: string): string {
  const { info: model } = item(record.models, 0);
  const { measured: corpus } = item(record.calibrations, 0);
  const { data } = item(record.influence, 0);
  const said = record.evaluations[0]?.protocol as Readonly<Record<string, number | boolean | undefined>>;
  const perplexities = studyRows(record).filter(({ measure }) => measure === "perplexity");
  const dense = perplexities[0]?.value ?? Number.NaN;
  const middle = [...data.values.block.cosine].sort((a, b) => a - b)[Math.floor(data.depth / 2)] ?? 0;
  const bars = data.values.block.cosine.map((value, block) => ({
    label: `block.${block}`,
    value,
    note:
      `${formatNumber(value)}  attention ${formatNumber(data.values.attention.cosine[block] ?? 0)}, ` +
      `feed-forward ${formatNumber(data.values["feed-forward"].cosine[block] ?? 0)}`,
  }));
  const least = (kind: "block" | "attention" | "feed-forward") =>
    new Influence({ ...data, seconds: 0 }, kind)
      .lowest(5)
      .map((unit) => unit.slice(kind.length + 1))
      .join(", ");
  const rows = perplexities.map(({ removed, value }) => [
    removed.length === 0 ? "nothing" : removed.map((unit) => unit.replace("block.", "")).join(", "),
    formatNumber(value ?? Number.NaN),
    `x ${formatNumber((value ?? Number.NaN) / dense, 3)}`,
  ]);
  const texts = record.texts.map(({ subnetwork, generation }) => {
    const removed = record.subnetworks.find(({ id }) => id === subnetwork)?.removed ?? [];
    const name = removed.length === 0 ? "the whole model" : `without ${removed.length} blocks`;
    return `${name}: ${generation.generations[0]?.text.trim()}`;
  });
  return [
    `1. Model: ${model.source}, ${model.depth} blocks, ${formatCount(model.parameters)} parameters, ` +
      `${model.dtype} on ${model.device}`,
    ...noteLines(model.notes),
    "",
    `2. Cosine influence of each block on ${corpus.sequences} x ${corpus.length} tokens of the Python ` +
      `reference (low: remove first)`,
    "",
    renderBars(bars, { width: 32, limit: 3 * middle }),
    "",
    `   five least: blocks ${least("block")}; attention ${least("attention")}; feed-forward ` +
      `${least("feed-forward")}`,
    "",
    `3. Perplexity on other chapters (${said["chunks"]} chunks of ${said["chunk"]} tokens, stride ` +
      `${said["stride"]}, BOS ${said["bosAdded"] === true ? "added" : "not added"}, ` +
      `${formatCount(Number(said["tokensScored"]))} tokens scored)`,
    "",
    renderTable(
      [
        { title: "blocks removed" },
        { title: "perplexity", align: "right" },
        { title: "against whole", align: "right" },
      ],
      rows,
    ),
    "",
    `4. Asked: ${record.plan.texts?.prompts[0]}`,
    "",
    ...texts,
    "",
    "5. The smaller model, which any software that reads Hugging Face checkpoints loads",
    "",
    describeExport(saved),
    "",
    `The record of the run: ${join(folder, "record.json")}. All this took ${formatSeconds(seconds)}.`,
  ].join("\n");
}
