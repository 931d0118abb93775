/**
 * Ranks the blocks of the bundled model by their cosine influence, removes the three least and says
 * what that costs. Ends with 1 where the outcome is not what depth pruning promises.
 */
import { Depthkit, pythonReference, type Subnetwork } from "depthkit";

const chapters = await pythonReference();
const calibration = { texts: chapters.filter((_, index) => index % 2 === 0) };
const heldOut = { texts: chapters.filter((_, index) => index % 2 === 1) };

const kit = await Depthkit.start();
try {
  const model = await kit.loadModel("smollm2-135m");
  const corpus = await model.loadCorpus(calibration, { sequences: 8, length: 128 });
  const influence = await model.influence(corpus, { units: "block", metric: "cosine" });
  for (const { unit, value } of influence.ranking()) console.log(unit.padEnd(10), value.toFixed(4));

  const options = { chunk: 256, maxChunks: 4 };
  // The word "Infinity" where it is larger than any number.
  const perplexity = async (subnetwork: Subnetwork) =>
    Number((await subnetwork.perplexity(heldOut, options)).perplexity);
  const whole = await perplexity(model);
  const least = await perplexity(model.without(influence.lowest(3)));
  const most = await perplexity(model.without(influence.highest(3)));
  console.log("perplexity of the whole model    ", whole.toFixed(2));
  console.log("without", influence.lowest(3).join(", "), "", least.toFixed(2));
  console.log("without", influence.highest(3).join(", "), "", most.toFixed(2));

  const asPromised = whole < least && least < most / 10;
  process.exitCode = asPromised ? 0 : 1;
} finally {
  await kit.close();
}
