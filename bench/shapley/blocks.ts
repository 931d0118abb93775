/**
 * Which ranking removes best: SmolLM2-135M without 1 to 8 of its 30 blocks, chosen by each method on one text
 * and scored on another that no ranking has seen. Prints perplexity and the subnetworks each ranking
 * evaluated.
 *
 *   npx tsx bench/shapley/blocks.ts [tokens to rank on = 512] [evaluations an estimate = 300] [seed = 7]
 * [FOLDER]
 *
 * With a folder every evaluated subnetwork is kept there, and a bench that was stopped goes on.
 */
import { Depthkit, type ModelGame } from "../../src/index.ts";
import { renderTable } from "../../src/report/index.ts";
import { Coalition, estimateShapley, type Target } from "../../src/shapley/index.ts";
import { sharedData } from "../shared-data.ts";

const [tokens = 512, evaluations = 300, seed = 7] = process.argv.slice(2, 5).map(Number);
const journal = process.argv[5];
const removals = 8;
/** Blocks of least cosine influence, among which an estimate may choose. */
const candidates = 15;
const length = 128;

interface Ranking {
  name: string;
  /** Blocks in the order they go. */
  order: string[];
  evaluations: number;
}

/** Takes the one block away, again and again, without which most is left. */
async function greedy(game: ModelGame, count: number): Promise<{ order: string[]; evaluations: number }> {
  const { players } = game;
  const gone: number[] = [];
  let spent = 0;
  while (gone.length < count) {
    const left = players.map((_, player) => player).filter((player) => !gone.includes(player));
    const values = await game.evaluate(
      left.map((player) => Coalition.without(players.length, [...gone, player])),
    );
    spent += left.length;
    gone.push(left[values.indexOf(Math.max(...values))] as number);
  }
  return { order: gone.map((player) => players[player] as string), evaluations: spent };
}

async function estimated(name: string, game: ModelGame, target: Target, cap = true): Promise<Ranking> {
  const estimate = await estimateShapley(game, { target, cap, evaluations, seed });
  return { name, order: estimate.ranking(), evaluations: estimate.info.evaluations };
}

await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m");
const corpus = await model.loadCorpus(sharedData("calib_wikitext2_train.jsonl"), {
  sequences: tokens / length,
  length,
});
const unseen = await model.loadCorpus(sharedData("wikitext2.test.txt"), { sequences: 8, length: 512 });

const rankings: Ranking[] = [];
const add = (ranking: Ranking) => {
  rankings.push(ranking);
  console.error(
    `${ranking.name}: ${ranking.evaluations} evaluations; ${ranking.order.slice(0, removals).join(", ")}`,
  );
};
const kept = journal === undefined ? {} : { journal };
const influence = await model.influence(corpus, { units: "block", metric: "cosine" });
add({ name: "cosine", order: influence.lowest(model.depth), evaluations: 1 });
await using game = await model.game(corpus, { players: "block", value: "loss", ...kept });
const least = await estimateShapley(game, { method: "leave-one-out", target: { horizon: 1 } });
add({ name: "leave-one-out", order: least.ranking(), evaluations: least.info.evaluations });
add({ name: "greedy", ...(await greedy(game, removals)) });
const players = influence.lowest(candidates);
await using screened = await model.game(corpus, { players, value: "loss", ...kept });
const among = `of the ${candidates} of least cosine`;
add(await estimated(`horizon 6 ${among}`, screened, { horizon: 6 }));
add(await estimated(`Shapley ${among}`, screened, "shapley"));
add({ name: `greedy ${among}`, ...(await greedy(screened, removals)) });
add(await estimated("horizon 12 (default)", game, { horizon: 12 }));
add(await estimated("horizon 5", game, { horizon: 5 }));
add(await estimated("Shapley", game, "shapley"));
add(await estimated("Shapley, not capped", game, "shapley", false));

const asked = rankings.flatMap(({ order }) =>
  Array.from({ length: removals }, (_, count) => order.slice(0, count + 1)),
);
const { scores } = await model.evaluateSubnetworks(unseen, [[], ...asked]).result;
const perplexities = scores.map(({ values }) => Math.exp(values.loss ?? Number.NaN));
console.log(
  `Perplexity on ${unseen.info.sequences} x ${unseen.info.length} tokens of WikiText-2 test, BOS ` +
    `${unseen.info.bos}; ranked on ` +
    `${corpus.info.sequences} x ${length} tokens of its training part, ${model.info.dtype} on ` +
    `${model.info.device}, seed ${seed}, ` +
    `estimates capped. Dense: ${perplexities[0]?.toFixed(2)}`,
);
console.log(
  renderTable(
    [
      { title: "ranked by" },
      { title: "subnetworks", align: "right" },
      ...Array.from({ length: removals }, (_, count) => ({
        title: String(count + 1),
        align: "right" as const,
      })),
    ],
    rankings.map(({ name, evaluations: spent }, row) => [
      name,
      String(spent),
      ...Array.from(
        { length: removals },
        (_, count) => perplexities[1 + row * removals + count]?.toFixed(1) ?? "",
      ),
    ]),
  ),
);
