import type { Command } from "commander";
import {
  type Corpus,
  GradientInfluence,
  type GradientInfluenceOptions,
  type Influence,
  type InfluenceOptions,
  type Model,
} from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderBars, renderTable } from "../report/index.ts";
import { influenceChoice, influenceOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import {
  addCorpusFlags,
  addModelFlags,
  type CorpusFlags,
  corpusOptionsOf,
  type ModelFlags,
  textDataOf,
} from "./data-flags.ts";
import { corpusTokens, ownBos, withTokens } from "./first-tokens.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { loadModel } from "./subject.ts";

interface Flags extends ModelFlags, CorpusFlags {}

export function registerInfluence(command: Command): void {
  addSchemaFlags(addCorpusFlags(addModelFlags(command)), influenceChoice);
  addSchemaFlags(command, influenceOptions).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const model = await loadModel(kit, flags, call);
        const corpus = await model.loadCorpus(textDataOf(flags), { ...corpusOptionsOf(flags), ...call });
        const choice = schemaOptions(influenceChoice, flags);
        const options = { ...choice, ...schemaOptions(influenceOptions, flags), ...call };
        // The choice was read by its schema's parser; the call checks the whole again.
        const influence = await model.influence(
          corpus,
          options as GradientInfluenceOptions | InfluenceOptions,
        );
        const text =
          influence instanceof GradientInfluence
            ? describeGradients(model, influence)
            : describe(model, corpus, influence);
        return {
          json: {
            model: model.info,
            corpus: corpus.info,
            influence: influence.toJSON(),
            // What --remove from: reads.
            ...influence.toScores(),
          },
          text: withTokens(text, flags, [corpusTokens(corpus)]),
        };
      }),
    );
  });
}

function describeGradients(model: Model, influence: GradientInfluence): string {
  const { sequences, tokens, loss, seconds } = influence.data;
  const ranking = influence.ranking();
  const divided = influence.dividedBy === null ? "" : `, by the unit's number of ${influence.dividedBy}`;
  return [
    `${influence.metric} influence of each of ${influence.units}${divided}, ${model.info.source} ` +
      "(low: remove first)",
    `${sequences} sequences, ${formatCount(tokens)} tokens predicted, loss ${formatNumber(loss)} nats; ` +
      `${formatSeconds(seconds)}`,
    "",
    renderTable(
      [{ title: "unit" }, { title: "value", align: "right" }, { title: "standard error", align: "right" }],
      ranking.map(({ unit, value, standardError }) => [
        unit,
        formatNumber(value),
        standardError === null ? "" : formatNumber(standardError, 2),
      ]),
    ),
  ].join("\n");
}

function describe(model: Model, corpus: Corpus, influence: Influence): string {
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
    `${influence.metric} influence of each ${influence.units} unit, ${model.info.source} (low: remove first)`,
    `${sequences} sequences x ${corpus.info.length} tokens, ${formatCount(tokens)} counted` +
      `${skipFirstTokens > 0 ? `, first ${skipFirstTokens} of each left out` : ""}; ` +
      `BOS ${corpus.info.bosAdded ? "added" : "not added"} (${corpus.info.bos}` +
      `${ownBos(corpus.info.bosInText, "sequences")}); text ` +
      `${corpus.info.data.digest.slice(0, 12)}; ` +
      `${formatSeconds(seconds)}`,
    "",
    renderBars(bars, { limit: 4 * middle }),
    "",
    `Lowest first: ${ranking.map(({ unit }) => number(unit)).join(", ")}`,
    "",
    `Nearest spans by angle (${influence.data.angularTokens} ` +
      `token${influence.data.angularTokens === "all" ? "s" : ""}, in units of pi)`,
    renderTable(
      [{ title: "blocks", align: "right" }, { title: "least span" }, { title: "distance", align: "right" }],
      spans,
    ),
  ].join("\n");
}

function number(unit: string): number {
  return Number(unit.slice(unit.indexOf(".") + 1));
}
