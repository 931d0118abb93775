/**
 * Estimates what ten groups of three blocks are worth over the next few removals, removes the least group and
 * says what that costs on other text. Ends with 1 where the estimate's own promises are not kept.
 */
import { Depthkit, pythonReference, type Subnetwork } from "depthkit";
import { estimateShapley } from "depthkit/shapley";

const chapters = await pythonReference();
const ranking = { texts: chapters.filter((_, index) => index % 2 === 0) };
const heldOut = { texts: chapters.filter((_, index) => index % 2 === 1) };

const kit = await Depthkit.start();
try {
  const model = await kit.loadModel("smollm2-135m");
  const corpus = await model.loadCorpus(ranking, { sequences: 1, length: 64 });
  await using game = await model.game(corpus, { groups: 10, value: "loss" });
  const estimate = await estimateShapley(game, { target: { horizon: 4 }, evaluations: 64, seed: 7 });
  for (const { player, value, standardError, interval } of estimate.players()) {
    const [from, to] = interval.map((end) => end.toFixed(3));
    console.log(player.padEnd(28), value.toFixed(3), "+-", standardError.toFixed(3), `${from} to ${to}`);
  }

  const options = { chunk: 128, maxChunks: 4 };
  // The word "Infinity" where it is larger than any number.
  const perplexity = async (subnetwork: Subnetwork) =>
    Number((await subnetwork.perplexity(heldOut, options)).perplexity);
  const whole = await perplexity(model);
  const least = await perplexity(model.without(estimate.lowest(1)));
  const most = await perplexity(model.without(estimate.highest(1)));
  console.log("perplexity of the whole model ", whole.toFixed(2));
  console.log("without", estimate.lowest(1).join(", "), "", least.toFixed(2));
  console.log("without", estimate.highest(1).join(", "), "", most.toFixed(2));
  console.log(`${estimate.info.evaluations} subnetworks evaluated`);

  const asPromised = estimate.info.evaluations <= 64 && whole < least && least < most / 10;
  process.exitCode = asPromised ? 0 : 1;
} finally {
  await kit.close();
}
