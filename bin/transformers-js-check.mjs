// `node transformers-js-check.mjs MODULE FOLDER DTYPE`: what a graph of an ONNX export answers in
// transformers.js, as one line of JSON, to the questions in its folder. Plain JavaScript, as it runs by itself,
// and is nothing but questions: `src/model/compare-answers.ts` compares the answers.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { likeliestOf, logProbability, marginOf } from "./scores.mjs";

const [, , module, folder, dtype] = process.argv;
const { AutoModelForCausalLM, AutoTokenizer, env, Tensor } = await import(module);

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

let reference;
try {
  reference = JSON.parse(readFileSync(join(folder, "depthkit-reference.json"), "utf8"));
} catch {
  say({ refused: "it has no depthkit-reference.json, which every export of this depthkit carries." });
  process.exit(1);
}
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = dirname(folder);
const name = basename(folder);
const model = await AutoModelForCausalLM.from_pretrained(name, { dtype });
const hasText = reference.texts.length > 0 || reference.prompts.some(({ text }) => text !== null);
const tokenizer = hasText ? await AutoTokenizer.from_pretrained(name) : undefined;

const row = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
const inputsOf = (ids) => ({ input_ids: row(ids), attention_mask: row(ids.map(() => 1)) });

/** Logits behind each of `ids`, read at once: arrays by token. */
async function logits(ids) {
  const found = (await model(inputsOf(ids))).logits.to("float32");
  const width = found.dims.at(-1);
  return ids.map((_, at) => found.data.slice(at * width, (at + 1) * width));
}

/** What `generate` writes, greedily and with its cache. */
async function written(ids, count) {
  const greedy = { do_sample: false, repetition_penalty: 1, eos_token_id: [-1] };
  const all = await model.generate({ ...inputsOf(ids), ...greedy, max_new_tokens: count });
  return Array.from(all.data, Number).slice(ids.length);
}

/** Of each token of `made`: how much likelier another is where all in front of it is read without a cache. */
async function margins(ids, made) {
  const scores = await logits([...ids, ...made.slice(0, -1)]);
  return made.map((token, at) => marginOf(scores[ids.length - 1 + at], token));
}

const prompts = [];
for (const { text, ids, likeliest, written: expected } of reference.prompts) {
  const scores = await logits(ids);
  const made = await written(ids, expected.length);
  prompts.push({
    ids: text === null ? [] : tokenizer.encode(text),
    likeliest: scores.map(likeliestOf),
    logProbabilities: scores.map((each, at) => logProbability(each, likeliest[at])),
    written: made,
    margins: await margins(ids, made),
  });
}
const texts = reference.texts.map(({ text }) => tokenizer.encode(text));
say({ version: env.version, reference, prompts, texts, kvBytesPerToken: null });
process.exit(0);
