import type { Command } from "commander";
import type { Corpus, Influence, Model } from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderBars, renderTable } from "../report/index.ts";
import { influenceOptions, influenceView } from "../schemas.ts";
import { runCommand, withWorker } from "./command.ts";
import {
  addCorpusFlags,
  addModelFlags,
  type CorpusFlags,
  corpusOptionsOf,
  type ModelFlags,
  textDataOf,
} from "./data-flags.ts";
import { corpusTokens, ownBos, withTokens } from "./first-tokens.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { loadModel } from "./subject.ts";

interface Flags extends ModelFlags, CorpusFlags {}

export function registerInfluence(command: Command): void {
  addSchemaFlags(addCorpusFlags(addModelFlags(command)), influenceView);
  addSchemaFlags(command, influenceOptions).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const model = await loadModel(kit, flags, call);
        const corpus = await model.loadCorpus(textDataOf(flags), { ...corpusOptionsOf(flags), ...call });
        const view = schemaOptions(influenceView, flags);
        const options = { ...view, ...schemaOptions(influenceOptions, flags) };
        const influence = await model.influence(corpus, { ...options, ...call });
        return {
          json: { model: model.info, corpus: corpus.info, influence: influence.toJSON() },
          text: withTokens(describe(model, corpus, influence), flags, [corpusTokens(corpus)]),
        };
      }),
    );
  });
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
