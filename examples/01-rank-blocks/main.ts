/**
 * Ranks the blocks of the bundled model by their cosine influence, removes the three least and says
 * what that costs. Ends with 1 where the outcome is not what depth pruning promises.
 */
import { Depthkit, pythonReference } from "depthkit";

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
  const whole = await model.perplexity(heldOut, options);
  const least = await model.without(influence.lowest(3)).perplexity(heldOut, options);
  const most = await model.without(influence.highest(3)).perplexity(heldOut, options);
  console.log("perplexity of the whole model    ", whole.perplexity.toFixed(2));
  console.log("without", influence.lowest(3).join(", "), "", least.perplexity.toFixed(2));
  console.log("without", influence.highest(3).join(", "), "", most.perplexity.toFixed(2));

  const asPromised = whole.perplexity < least.perplexity && least.perplexity < most.perplexity / 10;
  process.exitCode = asPromised ? 0 : 1;
} finally {
  await kit.close();
}
