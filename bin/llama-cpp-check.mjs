// `node llama-cpp-check.mjs MODULE FILE.gguf`: what the file answers in llama.cpp, as one line of JSON, to the
// questions in its own metadata. Plain JavaScript, as it runs by itself, and is nothing but questions:
// `src/model/compare-answers.ts` compares the answers.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { likeliestOf, logProbability, marginOf } from "./scores.mjs";

const [, , module, file] = process.argv;
const { getLlama, LlamaLogLevel, readGgufFileInfo } = await import(module);

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const { metadata } = await readGgufFileInfo(file, { sourceType: "filesystem", fetchTensorInfo: false });
const kept = metadata.depthkit?.reference;
if (typeof kept !== "string") {
  say({ refused: "its metadata have no depthkit.reference, which every export of this depthkit carries." });
  process.exit(1);
}
const reference = JSON.parse(kept);
const longest = Math.max(...reference.prompts.map(({ ids, written }) => ids.length + written.length));

// Its threads wait for each other at work, which on a busy machine takes minutes: half of the cores.
const threads = Math.max(1, Math.floor(availableParallelism() / 2));
const llama = await getLlama({
  gpu: false,
  maxThreads: threads,
  build: "never",
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
// A cache of float32, so that what differs is the file's doing.
const cache = { experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32" };
const context = await model.createContext({
  contextSize: longest + 8,
  threads,
  flashAttention: false,
  ...cache,
});
const sequence = context.getSequence();

/** Logits behind the last of `ids`, or behind each: arrays by token. What was evaluated before stays cached. */
async function logits(ids, each) {
  const asked = ids.map((id, at) =>
    each || at === ids.length - 1 ? [id, { generateNext: { logits: true } }] : id,
  );
  const answers = await sequence.controlledEvaluate(asked);
  return answers.filter((answer) => answer !== undefined).map(({ next }) => toArray(next.logits));
}

const toArray = (found) => {
  const scores = new Float32Array(found.size).fill(Number.NaN);
  for (const [token, score] of found) scores[token] = score;
  return scores;
};

/** What it writes token by token with a cache. */
async function written(ids, count) {
  const made = [];
  await sequence.clearHistory();
  while (made.length < count) {
    const [scores] = await logits(made.length === 0 ? ids : made.slice(-1), false);
    made.push(likeliestOf(scores));
  }
  return made;
}

/** Of each token of `made`: how much likelier another is where all in front of it is read without a cache. */
async function margins(ids, made) {
  const found = [];
  for (const [at, token] of made.entries()) {
    await sequence.clearHistory();
    const [scores] = await logits([...ids, ...made.slice(0, at)], false);
    found.push(marginOf(scores, token));
  }
  return found;
}

const { bos, shouldPrependBosToken } = model.tokens;
const begin = shouldPrependBosToken && bos !== null ? [bos] : [];
const tokensOf = (text) => [...begin, ...model.tokenize(text, false)];
const prompts = [];
for (const { text, ids, likeliest, written: expected } of reference.prompts) {
  await sequence.clearHistory();
  const scores = await logits(ids, true);
  const made = await written(ids, expected.length);
  prompts.push({
    ids: text === null ? [] : tokensOf(text),
    likeliest: scores.map(likeliestOf),
    logProbabilities: scores.map((row, at) => logProbability(row, likeliest[at])),
    written: made,
    margins: await margins(ids, made),
  });
}
const { version } = JSON.parse(readFileSync(fileURLToPath(new URL("../package.json", module)), "utf8"));
await context.dispose();
const texts = reference.texts.map(({ text }) => tokensOf(text));
say({ version, reference, prompts, texts, kvBytesPerToken: await bytesPerToken() });
process.exit(0);

/** What one more token adds to the state of a context as it comes: its cache, and a few bytes to find it. */
async function bytesPerToken() {
  const usual = await model.createContext({ contextSize: 8, threads });
  const [first, second] = await sizes(usual);
  return second - first;
}

async function sizes(usual) {
  const own = usual.getSequence();
  const found = [];
  for (const id of [0, 0]) {
    await own.controlledEvaluate([id]);
    found.push(usual.stateSize);
  }
  return found;
}
