import { type Command, Option } from "commander";
import {
  type Corpus,
  formatCount,
  formatNumber,
  formatSeconds,
  type Influence,
  type InfluenceMetric,
  influenceMetrics,
  type Model,
  renderBars,
  renderTable,
  type UnitKind,
  unitKinds,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { addCorpusFlags, type CorpusFlags, corpusOptions } from "./corpus-flags.ts";
import { addModelFlags, type ModelFlags, modelOptions, textData, wholeNumber } from "./options.ts";

interface Flags extends ModelFlags, CorpusFlags {
  units: UnitKind;
  metric: InfluenceMetric;
  batchSize: number;
  angularTokens: "last" | "all";
  skipFirstTokens: number;
}

export function registerInfluence(program: Command): void {
  const command = program
    .command("influence")
    .description(
      "Measure how far each block, attention and feed-forward sublayer moves the residual stream.",
    );
  addCorpusFlags(addModelFlags(command))
    .addOption(new Option("--units <kind>", "the kind of unit to chart").choices(unitKinds).default("block"))
    .addOption(
      new Option("--metric <name>", "the metric to chart").choices(influenceMetrics).default("cosine"),
    )
    .option("--batch-size <n>", "sequences at a time", wholeNumber(1), 4)
    .addOption(
      new Option("--angular-tokens <which>", "tokens of a sequence the angular distance is averaged over")
        .choices(["last", "all"])
        .default("last"),
    )
    .option("--skip-first-tokens <n>", "tokens at each sequence's start to leave out", wholeNumber(0), 0)
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const model = await kit.loadModel(flags.model, { ...modelOptions(flags), ...call });
          const corpus = await model.loadCorpus(textData(flags), { ...corpusOptions(flags), ...call });
          const influence = await model.influence(corpus, {
            units: flags.units,
            metric: flags.metric,
            batchSize: flags.batchSize,
            angularTokens: flags.angularTokens,
            skipFirstTokens: flags.skipFirstTokens,
            ...call,
          });
          return {
            json: { model: model.info, corpus: corpus.info, influence: influence.toJSON() },
            text: describe(model, corpus, influence, flags),
          };
        }),
      );
    });
}

function describe(model: Model, corpus: Corpus, influence: Influence, flags: Flags): string {
  const { sequences, tokens, skipFirstTokens, seconds } = influence.data;
  const ranking = influence.ranking();
  const middle = ranking[Math.floor(ranking.length / 2)]?.value ?? 0;
  const bars = [...ranking]
    .sort((a, b) => number(a.unit) - number(b.unit))
    .map(({ unit, value, standardError }) => ({
      label: unit,
      value,
      note: `${formatNumber(value)}${standardError === null ? "" : ` ± ${formatNumber(standardError, 2)}`}`,
    }));
  const spans = [1, 2, 3, 4, 6, 8]
    .filter((length) => length < model.depth)
    .map((length) => influence.span(length))
    .map(({ length, start, distance }) => [
      String(length),
      length === 1 ? `block ${start}` : `blocks ${start}-${start + length - 1}`,
      formatNumber(distance),
    ]);
  return [
    `${flags.metric} influence of each ${flags.units} unit, ${model.info.source} (low: remove first)`,
    `${sequences} sequences x ${corpus.info.length} tokens, ${formatCount(tokens)} counted` +
      `${skipFirstTokens > 0 ? `, first ${skipFirstTokens} of each left out` : ""}; ` +
      `BOS ${corpus.info.bosAdded ? "added" : "not added"} (${corpus.info.bos}); text ${corpus.info.data.digest.slice(0, 12)}; ` +
      `${formatSeconds(seconds)}`,
    "",
    renderBars(bars, { limit: 4 * middle }),
    "",
    `Lowest first: ${ranking.map(({ unit }) => number(unit)).join(", ")}`,
    "",
    `Nearest spans by angle (${influence.data.angularTokens} token${influence.data.angularTokens === "all" ? "s" : ""}, in units of pi)`,
    renderTable(
      [{ title: "blocks", align: "right" }, { title: "least span" }, { title: "distance", align: "right" }],
      spans,
    ),
  ].join("\n");
}

function number(unit: string): number {
  return Number(unit.slice(unit.indexOf(".") + 1));
}
