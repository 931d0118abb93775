/**
 * Which ranking removes best: SmolLM2-135M without 1 to 8 of its 30 blocks, chosen by each method on one text
 * and scored on another that no ranking has seen. Prints perplexity and the subnetworks each ranking evaluated.
 *
 *   npx tsx bench/shapley/blocks.ts [tokens to rank on = 512] [evaluations an estimate = 600]
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type Corpus,
  Depthkit,
  estimateShapley,
  type Model,
  type ModelGame,
  renderTable,
  type Target,
} from "../../src/index.ts";

const [tokens = 512, evaluations = 600] = process.argv.slice(2).map(Number);
const removals = 8;
const shared = (name: string) => fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url));
if (!existsSync(shared("wikitext2.test.txt"))) throw new Error("The evaluation data are not there.");

interface Ranking {
  name: string;
  /** Blocks in the order they go. */
  order: string[];
  evaluations: number;
}

async function leaveOneOut(model: Model, corpus: Corpus): Promise<Ranking> {
  const blocks = model.units("block");
  const { scores } = await model.evaluateSubnetworks(
    corpus,
    blocks.map((block) => [block]),
  ).result;
  const lossOf = new Map(
    blocks.map((block, index) => [block as string, scores[index]?.values.loss ?? Number.NaN]),
  );
  const order = [...blocks].sort((a, b) => (lossOf.get(a) ?? 0) - (lossOf.get(b) ?? 0));
  return { name: "leave-one-out", order, evaluations: blocks.length };
}

async function greedy(model: Model, corpus: Corpus): Promise<Ranking> {
  const order: string[] = [];
  let spent = 0;
  while (order.length < removals) {
    const candidates = model.units("block").filter((block) => !order.includes(block));
    const { scores } = await model.evaluateSubnetworks(
      corpus,
      candidates.map((block) => [...order, block]),
    ).result;
    spent += candidates.length;
    const losses = scores.map(({ values }) => values.loss ?? Number.NaN);
    order.push(candidates[losses.indexOf(Math.min(...losses))] as string);
  }
  return { name: "greedy", order, evaluations: spent };
}

async function estimated(name: string, game: ModelGame, target: Target, cap: boolean): Promise<Ranking> {
  const estimate = await estimateShapley(game, { target, cap, evaluations, seed: 7 });
  return { name, order: estimate.ranking(), evaluations: estimate.info.evaluations };
}

await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m");
const length = 128;
const corpus = await model.loadCorpus(shared("calib_wikitext2_train.jsonl"), {
  sequences: tokens / length,
  length,
});
const unseen = await model.loadCorpus(shared("wikitext2.test.txt"), { sequences: 8, length: 512 });

const rankings: Ranking[] = [];
const add = (ranking: Ranking) => {
  rankings.push(ranking);
  console.error(
    `${ranking.name}: ${ranking.evaluations} evaluations; ${ranking.order.slice(0, removals).join(", ")}`,
  );
};
const influence = await model.influence(corpus, { units: "block", metric: "cosine" });
add({ name: "cosine", order: influence.lowest(model.depth), evaluations: 1 });
add(await leaveOneOut(model, corpus));
add(await greedy(model, corpus));
await using game = await model.game(corpus, { players: "block", value: "loss" });
add(await estimated("horizon 12, capped (default)", game, { horizon: 12 }, true));
add(await estimated("horizon 8, capped", game, { horizon: 8 }, true));
add(await estimated("horizon 5, capped", game, { horizon: 5 }, true));
add(await estimated("Shapley, capped", game, "shapley", true));
add(await estimated("Shapley, as it is", game, "shapley", false));

const asked = rankings.flatMap(({ order }) =>
  Array.from({ length: removals }, (_, count) => order.slice(0, count + 1)),
);
const { scores } = await model.evaluateSubnetworks(unseen, [[], ...asked]).result;
const perplexities = scores.map(({ values }) => Math.exp(values.loss ?? Number.NaN));
console.log(
  `Perplexity on ${unseen.info.sequences} x ${unseen.info.length} tokens of WikiText-2 test, BOS ${unseen.info.bos}; ranked on ` +
    `${corpus.info.sequences} x ${length} tokens of its training part, ${model.info.dtype} on ${model.info.device}. Dense: ${perplexities[0]?.toFixed(2)}`,
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
