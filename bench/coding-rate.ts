/**
 * Whether the coding rate of the stream says how well a pruned model does: rank correlation with its loss over
 * 64 sets of blocks, beside what plain cosine says without running the set. SmolLM2-135M, fp32, one draw of
 * text.
 *
 *   npx tsx bench/coding-rate.ts
 */
import { item } from "../src/arrays.ts";
import { Depthkit, type UnitName } from "../src/index.ts";
import { spearman } from "../src/ranks.ts";
import { randomStream } from "../src/shapley/random.ts";
import { sharedData } from "./shared-data.ts";

const masks = 64;
const resamples = 2000;

await using kit = await Depthkit.start();
await using model = await kit.loadModel("smollm2-135m", { device: "cpu" });
const text = sharedData("calib_wikitext2_train.jsonl");
await using corpus = await model.loadCorpus(text, { sequences: 8, length: 128 });
await using other = await model.loadCorpus(text, { sequences: 8, length: 128, skip: 8 });
const cosine = (await model.influence(other)).data.values.block.cosine;

const random = randomStream(0, "coding-rate");
const below = (count: number) => Math.floor(random.uniform() * count);
/** Of 1 to 10 blocks each; the first and the last stay, without which nothing is left to compare. */
function drawn(): number[] {
  const left = Array.from({ length: model.depth - 2 }, (_, at) => at + 1);
  return Array.from({ length: 1 + below(10) }, () => item(left.splice(below(left.length), 1), 0));
}
const sets = Array.from({ length: masks }, drawn);

const dense = await model.stream(corpus);
const last = model.depth;
const found: { loss: number; rate: number; cosines: number; blocks: number }[] = [];
for (const [at, blocks] of sets.entries()) {
  const pruned = model.without(blocks.map((block): UnitName => `block.${block}`));
  const { scores } = await model.evaluateSubnetworks(corpus, [pruned]).result;
  const { codingRate } = await pruned.stream(corpus);
  found.push({
    loss: scores[0]?.values.loss ?? Number.NaN,
    rate: item(codingRate.values, last),
    cosines: blocks.reduce((sum, block) => sum + item(cosine, block), 0),
    blocks: blocks.length,
  });
  console.error(`${at + 1} of ${masks}`);
}

/** Spearman's with the loss, and the middle 95% of it over sets drawn again with replacement. */
function withLoss(of: (one: (typeof found)[number]) => number): string {
  const over = (places: readonly number[]) => {
    const chosen = places.map((place) => item(found, place));
    return spearman(
      chosen.map(of),
      chosen.map(({ loss }) => loss),
    );
  };
  const all = Array.from({ length: masks }, (_, place) => place);
  const again = Array.from({ length: resamples }, () => over(all.map(() => below(masks)))).sort(
    (a, b) => a - b,
  );
  const [low, high] = [
    item(again, Math.floor(0.025 * resamples)),
    item(again, Math.floor(0.975 * resamples)),
  ];
  return `${over(all).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

const denseRate = item(dense.codingRate.values, last);
console.log(`| rank correlation with the loss of ${masks} sets | 95% interval in brackets |`);
console.log("|---|---|");
console.log(`| coding rate behind the last block | ${withLoss(({ rate }) => rate)} |`);
console.log(
  `| its distance from the whole model's, ${denseRate.toFixed(1)} of at most ` +
    `${dense.codingRateBound.toFixed(1)} nats | ${withLoss(({ rate }) => Math.abs(rate - denseRate))} |`,
);
console.log(`| summed cosine influence of the set, on other text | ${withLoss(({ cosines }) => cosines)} |`);
console.log(`| number of blocks removed | ${withLoss(({ blocks }) => blocks)} |`);
