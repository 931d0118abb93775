/**
 * What removing units gains where a model is served: decode tokens per second in llama.cpp of the bundled
 * model whole, without 8 blocks and without 10 attentions, one after the other in each round, and bytes of
 * cache per token. Medians, with the spread of the rounds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, LlamaLogLevel, type LlamaModel, type Token } from "node-llama-cpp";
import { Depthkit, setup } from "../src/index.ts";
import { formatBytes, renderTable } from "../src/report/index.ts";
import { median, show } from "./figures.ts";

const ROUNDS = 7;
const PROMPT = 64;
const TOKENS = 96;

const blocks = [10, 11, 13, 20, 21, 22, 23, 25].map((block) => `block.${block}`);
const attentions = [7, 10, 13, 15, 17, 19, 21, 23, 25, 27].map((block) => `attention.${block}`);
const subnetworks = { whole: [], "without 8 blocks": blocks, "without 10 attentions": attentions };

/** Seconds that a greedy token takes behind a prompt; the prompt itself is not counted. */
async function decode(model: LlamaModel): Promise<number> {
  const context = await model.createContext({ contextSize: PROMPT + TOKENS + 8, threads: 1 });
  const sequence = context.getSequence();
  const prompt = Array.from({ length: PROMPT }, (_, at) => (1000 + 7 * at) as Token);
  await sequence.controlledEvaluate(prompt);
  const started = performance.now();
  for (let count = 0; count < TOKENS; count += 1) await sequence.controlledEvaluate([(500 + count) as Token]);
  const seconds = (performance.now() - started) / 1000;
  await context.dispose();
  return TOKENS / seconds;
}

await setup();
const folder = mkdtempSync(join(tmpdir(), "depthkit-bench-"));
try {
  await using kit = await Depthkit.start();
  const model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });
  const candidates = [];
  for (const [name, removed] of Object.entries(subnetworks)) {
    const info = await model.without(removed).export(join(folder, `${name}.gguf`), { format: "gguf" });
    const loaded = await llama.loadModel({ modelPath: info.file, gpuLayers: 0 });
    candidates.push({ name, info, loaded, rates: [] as number[] });
  }
  for (const { loaded } of candidates) await decode(loaded); // the first of each reads the file
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { loaded, rates } of candidates) rates.push(await decode(loaded));
  }
  const whole = candidates[0]?.rates ?? [];
  const table = renderTable(
    [
      { title: "" },
      { title: "decode", align: "right" },
      { title: "of the whole", align: "right" },
      { title: "file", align: "right" },
      { title: "cache per token", align: "right" },
    ],
    candidates.map(({ name, info, rates }) => [
      name,
      show(rates, "tokens/s"),
      `${median(rates.map((rate, at) => rate / (whole[at] ?? Number.NaN))).toFixed(2)} x`,
      formatBytes(info.bytes),
      formatBytes(info.kvBytesPerTokenAfter),
    ]),
  );
  console.log(table);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
