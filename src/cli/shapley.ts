import { type Command, Option } from "commander";
import type { CallOptions, Corpus, Measure, Model, UnitKind, UnitName } from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { measuresOf, unitKind } from "../schemas.ts";
import { estimateShapley, type Method, methods, type ShapleyEstimate } from "../shapley/index.ts";
import { checkJournal, runCommand } from "./command.ts";
import {
  addCorpusFlags,
  addModelFlags,
  type CorpusFlags,
  corpusOptionsOf,
  type ModelFlags,
  textDataOf,
} from "./data-flags.ts";
import { corpusTokens, withTokens } from "./first-tokens.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { loadModel } from "./subject.ts";
import { wholeNumber } from "./values.ts";

interface Flags extends ModelFlags, CorpusFlags {
  units: UnitKind;
  groups?: number;
  candidates?: number;
  value: Measure;
  method: Method;
  horizon?: number;
  evaluations?: number;
  seed: number;
  journal?: string;
}

export function registerShapley(command: Command): void {
  addCorpusFlags(addModelFlags(command))
    .addOption(new Option("--units <kind>", "the players").choices(unitKind.options).default("block"))
    .option("--groups <n>", "cut the players into this many groups of neighbours", wholeNumber(2))
    .addOption(
      new Option(
        "--candidates <n>",
        "only the n units of least cosine influence play, the others always stay",
      )
        .argParser(wholeNumber(2))
        .conflicts("groups"),
    )
    .addOption(
      new Option("--value <measure>", "what a subnetwork is worth")
        .choices(measuresOf.corpus)
        .default(measuresOf.corpus[0]),
    )
    .addOption(new Option("--method <name>", "the estimator").choices(methods).default("regression"))
    .option(
      "--horizon <r>",
      "average over the last r removals; the number of players is the Shapley value (default: 0.4 of them)",
      wholeNumber(1),
    )
    .option("--evaluations <n>", "subnetworks to evaluate at most (default: 20 per player)", wholeNumber(2))
    .option("--seed <n>", "of the sample", wholeNumber(0), 0)
    .option("--journal <folder>", "keep every evaluated subnetwork here; an interrupted run goes on from it")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const call = { signal, onProgress: progress.update };
          await checkJournal(kit, flags.journal, signal);
          const model = await loadModel(kit, flags, call);
          const corpus = await model.loadCorpus(textDataOf(flags), { ...corpusOptionsOf(flags), ...call });
          const players = await playersOf(model, corpus, flags, call);
          const { method, horizon, evaluations, seed, value, groups, journal } = flags;
          await using game = await model.game(corpus, { players, value, groups, journal });
          const all = game.players.length;
          const estimate = await estimateShapley(game, {
            method,
            target: horizon === undefined ? undefined : horizon === all ? "shapley" : { horizon },
            evaluations,
            seed,
            signal,
            onProgress: progress.update,
          });
          return {
            json: {
              model: model.info,
              corpus: corpus.info,
              estimate: estimate.toJSON(),
              // What --remove from: reads.
              ...estimate.toScores(),
            },
            text: withTokens(describe(estimate, flags, game.notes), flags, [corpusTokens(corpus)]),
          };
        }),
      );
    });
}

/** All units of a kind, or the candidates for removal among them. */
async function playersOf(
  model: Model,
  corpus: Corpus,
  { units, candidates }: Flags,
  call: CallOptions,
): Promise<UnitKind | readonly UnitName[]> {
  if (candidates === undefined) return units;
  const influence = await model.influence(corpus, { units, metric: "cosine", ...call });
  return influence.lowest(candidates);
}

function describe(
  estimate: ShapleyEstimate,
  { value, units, candidates }: Flags,
  notes: readonly string[],
): string {
  const { info } = estimate;
  const target = info.target === "shapley" ? "Shapley values" : `horizon ${info.target.horizon} values`;
  const among = candidates === undefined ? "" : `the ${candidates} of least cosine influence among the `;
  const asked =
    info.method === info.requested ? "" : ` in place of ${info.requested}: the budget covers every coalition`;
  const capped = info.capped[value];
  const rows = [...estimate.players()]
    .sort((a, b) => a.value - b.value)
    .map((player) => [
      player.player,
      formatNumber(player.value),
      formatNumber(player.standardError, 2),
      player.interval.map((end) => formatNumber(end)).join(" to "),
    ]);
  return [
    `${target} of ${among}${units} units under ${value}, negated where less is better (low: remove first)`,
    `by ${info.method}${asked}; ` +
      `${formatCount(info.evaluations)} subnetworks, ${formatCount(Math.round(info.cost))} block ` +
      `evaluations, ` +
      `seed ${info.seed}, ${formatSeconds(info.seconds)}`,
    ...(capped === undefined
      ? []
      : [
          `capped at a ${value} of ${formatNumber(capped.at)}: ${formatCount(capped.coalitions)} ` +
            `subnetworks were`,
        ]),
    "",
    renderTable(
      [
        { title: "lowest first" },
        { title: "value", align: "right" },
        { title: "standard error", align: "right" },
        { title: "95% interval", align: "right" },
      ],
      rows,
    ),
    ...noteLines(notes),
  ].join("\n");
}
