/**
 * Tokens per second of feed-forward skipping beside the whole model, a static mask and random skips of equal
 * share: SmolLM2-135M, one text at a time, on WikiText-2's test part. Each is timed in turn with the whole
 * model, and its ratio is that of the same rounds.
 *
 *   npx tsx bench/policy-speed.ts [THRESHOLD]
 */
import { readFileSync } from "node:fs";
import { type ComparedPolicy, Depthkit, type Spread } from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { sharedData } from "./shared-data.ts";

const threshold = Number(process.argv[2] ?? 0.965);
const file = sharedData("wikitext2.test.txt");

await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m", { device: "cpu" });
// The window that docs/policies.md found on WikiText-2's training part.
const policed = model.withPolicy({ kind: "feed-forward-skipping", start: 3, end: 28, threshold, run: 1 });
const found = await policed.compare(file, {
  chunk: 256,
  maxChunks: 2,
  seeds: [0],
  profile: {
    ...{ batchSizes: [1], promptTokens: 256, contextTokens: 128, newTokens: 16, rounds: 7 },
    text: readFileSync(file, "utf8").slice(0, 4000),
  },
});

const ratio = ({ median, lowerQuartile, upperQuartile }: Spread) =>
  `${median.toFixed(2)} (${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)})`;
const row = (name: string, { profile }: ComparedPolicy) => {
  const [masked, decode] = [profile?.masked, profile?.masked?.decode[0]];
  if (masked === undefined || decode === undefined) throw new Error(`${name} was not timed.`);
  const rate = (spread: Spread) => spread.median.toFixed(1);
  return [
    name,
    `${(100 * (profile?.skips?.share ?? 0)).toFixed(1)}%`,
    rate(masked.prefill.tokensPerSecond),
    ratio(masked.prefill.againstDense),
    rate(decode.tokensPerSecond),
    ratio(decode.againstDense),
  ];
};
const { profile } = found.policy;
if (profile === undefined) throw new Error("Nothing was timed.");
const dense = [profile.dense.prefill, profile.dense.decode[0]].map((speed) =>
  (speed?.tokensPerSecond.median ?? Number.NaN).toFixed(1),
);
const titles = ["what", "skipped", "reads, tokens/s", "by the whole", "writes, tokens/s", "by the whole"];
console.log(
  renderTable(
    titles.map((title) => ({ title })),
    [
      ["whole", "0.0%", dense[0] ?? "", "1", dense[1] ?? "", "1"],
      row("policy", found.policy),
      row("static mask", found.fixed),
      ...found.random.map((one) => row("random skips", one)),
    ],
  ),
);
const { device, dtype, attention, threads, promptTokens, contextTokens, newTokens, rounds } = profile;
console.log(
  `${device}, ${dtype}, ${attention} attention, ${threads} threads, batch 1: ${promptTokens} tokens read, ` +
    `${newTokens} written behind ${contextTokens}; medians of ${rounds} rounds, with quartiles. ` +
    `Threshold ${threshold}.`,
);
