/**
 * Skips feed-forwards of tokens whose stream they hardly turn, beside a static mask and random skips of the
 * same share. Ends with 1 where the results' own promises are not kept.
 */
import { type ComparedPolicy, Depthkit, proposeSkipWindow, pythonReference } from "depthkit";

const chapters = await pythonReference();
const calibration = { texts: chapters.filter((_, index) => index % 2 === 0) };
const heldOut = { texts: chapters.filter((_, index) => index % 2 === 1) };

const kit = await Depthkit.start();
try {
  const model = await kit.loadModel("smollm2-135m");
  const corpus = await model.loadCorpus(calibration, { sequences: 4, length: 128 });
  const influence = await model.influence(corpus, { units: "feed-forward", metric: "cosine" });
  const window = proposeSkipWindow(influence);
  console.log(`blocks ${window.start} to ${window.end - 1} may skip their feed-forward`);

  const policed = model.withPolicy({ kind: "feed-forward-skipping", ...window, threshold: 0.98, run: 1 });
  const found = await policed.compare(heldOut, {
    chunk: 256,
    maxChunks: 2,
    order: influence.lowest(model.depth),
  });
  const show = (name: string, { perplexity: { perplexity, skips } }: ComparedPolicy) =>
    console.log(name.padEnd(14), `${(100 * (skips?.share ?? 0)).toFixed(1)}%`.padStart(6), perplexity);
  show("whole", found.whole);
  show("policy", found.policy);
  show("static mask", found.fixed);
  for (const one of found.random) show("random", one);

  const { generations, skips } = await policed.generate("A program is", { maxNewTokens: 40 });
  console.log(generations[0]?.text, `\nskipped ${(100 * (skips?.share ?? 0)).toFixed(1)}%`);

  const share = found.policy.perplexity.skips?.share ?? 0;
  const near = (one: ComparedPolicy) => Math.abs((one.perplexity.skips?.share ?? 0) - share) < 0.02;
  const asPromised = share > 0 && near(found.fixed) && found.random.every(near);
  process.exitCode = asPromised ? 0 : 1;
} finally {
  await kit.close();
}
