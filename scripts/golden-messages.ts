/**
 * Messages whose verdict both languages must share: each case is one edge of the contract. Written,
 * packed, to `schemas/golden-messages.json`, which the tests of both sides read.
 */
import { encode } from "../src/protocol/codec.ts";

interface GoldenMessage {
  type: string;
  valid: boolean;
  why: string;
  value: unknown;
}

const ping = { value: 1.5, integer: 7, text: "", tensors: [] };
const load = {
  source: "smollm2-135m",
  revision: null,
  adapter: null,
  dtype: "auto",
  device: "cuda:1",
  attention: "auto",
  trustRemoteCode: false,
};
const perplexity = {
  model: "model-3f9a12c4-1",
  removed: ["block.3", "attention.29"],
  repairs: ["repair-3f9a12c4-1"],
  data: { kind: "files", files: ["a.txt"], textField: "text", strict: false },
  rows: "raw",
  separator: "\n\n",
  chunk: null,
  stride: null,
  maxChunks: 3,
  bos: "auto",
  batchSize: 1,
  known: { items: { tensor: 0 }, ends: { tensor: 1 }, values: { tensor: 2 } },
};

const skipping = {
  kind: "feed-forward-skipping",
  start: 3,
  end: 28,
  threshold: 0.98,
  run: 1,
  warmUp: 25,
};

const template = {
  prompt: "{question}",
  choices: ["no", "yes"],
  answer: "answer",
  group: null,
  description: "",
  delimiter: " ",
  separator: "\n\n",
};
const task = {
  model: "model-3f9a12c4-1",
  data: { kind: "files", files: ["task.jsonl"] },
  format: template,
  shots: 5,
  shotsFrom: { kind: "rows", rows: ['{"question": "?"}'] },
  limit: null,
  bos: "auto",
};
const evaluate = {
  model: "model-3f9a12c4-1",
  data: "task-3f9a12c4-2",
  players: [["block.3"], ["attention.4", "feed-forward.4"]],
  kept: { tensor: 0 },
  repairs: [],
  repaired: null,
  measures: ["accuracy", "choice-loss"],
  bySequence: false,
  scoredPositions: { every: 1, last: null },
  batchSize: null,
  memoryBudget: null,
  precision: "exact",
  screening: null,
};
const read = { model: "model-3f9a12c4-1", data: "task-3f9a12c4-2", tokens: 32, boundary: 0, batchSize: 8 };
const group = { units: ["attention.4", "feed-forward.4"], costs: [1, 2.5], amount: 2 };

export const goldenMessages: GoldenMessage[] = [
  { type: "WorkerPingParams", valid: true, why: "plain", value: ping },
  {
    type: "WorkerPingParams",
    valid: true,
    why: "2^32 stays an integer",
    value: { ...ping, integer: 2 ** 32 },
  },
  { type: "WorkerPingParams", valid: true, why: "2^40 bytes", value: { ...ping, integer: 2 ** 40 } },
  {
    type: "WorkerPingParams",
    valid: true,
    why: "the largest seed",
    value: { ...ping, integer: 2 ** 53 - 1 },
  },
  {
    type: "WorkerPingParams",
    valid: true,
    why: "a whole number in a float field",
    value: { ...ping, value: 70e9 },
  },
  {
    type: "WorkerPingParams",
    valid: true,
    why: "emoji count as code points",
    value: { ...ping, text: "🙂".repeat(300) },
  },
  {
    type: "WorkerPingParams",
    valid: true,
    why: "a tensor reference",
    value: { ...ping, tensors: [{ tensor: 0 }] },
  },
  { type: "WorkerPingParams", valid: false, why: "2^53 is not exact", value: { ...ping, integer: 2 ** 53 } },
  { type: "WorkerPingParams", valid: false, why: "negative count", value: { ...ping, integer: -1 } },
  {
    type: "WorkerPingParams",
    valid: false,
    why: "float in an integer field",
    value: { ...ping, integer: 1.5 },
  },
  { type: "WorkerPingParams", valid: false, why: "NaN", value: { ...ping, value: Number.NaN } },
  {
    type: "WorkerPingParams",
    valid: false,
    why: "infinity",
    value: { ...ping, value: Number.POSITIVE_INFINITY },
  },
  { type: "WorkerPingParams", valid: false, why: "text for a number", value: { ...ping, value: "1.5" } },
  { type: "WorkerPingParams", valid: false, why: "unknown key", value: { ...ping, extra: 1 } },
  { type: "WorkerPingParams", valid: false, why: "missing key", value: { value: 1, integer: 1, text: "" } },
  { type: "WorkerPingParams", valid: false, why: "null for absent", value: { ...ping, text: null } },
  { type: "ModelLoadParams", valid: true, why: "plain", value: load },
  { type: "ModelLoadParams", valid: false, why: "an unknown dtype", value: { ...load, dtype: "f64" } },
  { type: "ModelLoadParams", valid: false, why: "an unknown device", value: { ...load, device: "tpu" } },
  {
    type: "ModelLoadParams",
    valid: false,
    why: "a line end behind the device",
    value: { ...load, device: "cpu\n" },
  },
  {
    type: "ModelLoadParams",
    valid: false,
    why: "digits of another script",
    value: { ...load, device: "cuda:١" },
  },
  { type: "ModelLoadParams", valid: false, why: "an empty source", value: { ...load, source: "" } },
  { type: "ModelLoadParams", valid: false, why: "1 for true", value: { ...load, trustRemoteCode: 1 } },
  { type: "EvaluationPerplexityParams", valid: true, why: "files", value: perplexity },
  {
    type: "EvaluationPerplexityParams",
    valid: true,
    why: "texts",
    value: { ...perplexity, data: { kind: "texts", texts: ["a\u2028b\r\n", ""] } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a kind of data that is none",
    value: { ...perplexity, data: { kind: "url", texts: [] } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "keys of another kind of data",
    value: { ...perplexity, data: { kind: "texts", texts: ["a"], files: ["b"] } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "no texts",
    value: { ...perplexity, data: { kind: "texts", texts: [] } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a unit that is none",
    value: { ...perplexity, removed: ["mlp.3"] },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "chunk of one token",
    value: { ...perplexity, chunk: 1 },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a handle of another kind",
    value: { ...perplexity, model: "corpus-3f9a12c4-1" },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a handle of no worker",
    value: { ...perplexity, model: "model-1" },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: true,
    why: "a policy",
    value: { ...perplexity, policy: skipping },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a kind of policy that is none",
    value: { ...perplexity, policy: { ...skipping, kind: "early-exit" } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "a threshold beyond 2",
    value: { ...perplexity, policy: { ...skipping, threshold: 2.5 } },
  },
  {
    type: "EvaluationPerplexityParams",
    valid: false,
    why: "an option of another policy",
    value: { ...perplexity, policy: { ...skipping, share: 0.25 } },
  },
  { type: "TaskLoadParams", valid: true, why: "a template", value: task },
  {
    type: "TaskLoadParams",
    valid: true,
    why: "a template whose choices are a field",
    value: { ...task, format: { ...template, choices: "options" } },
  },
  { type: "TaskLoadParams", valid: true, why: "the rows say", value: { ...task, format: null } },
  {
    type: "TaskLoadParams",
    valid: false,
    why: "a format that is none",
    value: { ...task, format: "nli" },
  },
  {
    type: "TaskLoadParams",
    valid: false,
    why: "one choice is no choice",
    value: { ...task, format: { ...template, choices: ["yes"] } },
  },
  { type: "TaskLoadParams", valid: false, why: "six shots", value: { ...task, shots: 6 } },
  { type: "TaskLoadParams", valid: true, why: "defaults", value: { model: task.model, data: task.data } },
  {
    type: "RepairMethod",
    valid: true,
    why: "defaults within defaults",
    value: { method: "lora", training: { steps: 5 } },
  },
  {
    type: "RepairMethod",
    valid: false,
    why: "a field of another method",
    value: { method: "fold", rank: 8 },
  },
  { type: "RepairMethod", valid: false, why: "no method", value: { method: "glue" } },
  { type: "SubnetworksEvaluateParams", valid: true, why: "on a task", value: evaluate },
  {
    type: "SubnetworksEvaluateParams",
    valid: true,
    why: "on a corpus",
    value: { ...evaluate, data: "corpus-3f9a12c4-1" },
  },
  {
    type: "SubnetworksEvaluateParams",
    valid: true,
    why: "screened",
    value: { ...evaluate, precision: "screen", screening: "bfloat16" },
  },
  {
    type: "SubnetworksEvaluateParams",
    valid: false,
    why: "on a model",
    value: { ...evaluate, data: "model-3f9a12c4-1" },
  },
  { type: "Empty", valid: true, why: "nothing", value: {} },
  { type: "Empty", valid: false, why: "something", value: { a: 1 } },
  { type: "RoutingReadParams", valid: true, why: "prompts of a task", value: read },
  { type: "RoutingReadParams", valid: false, why: "a prompt of no tokens", value: { ...read, tokens: 0 } },
  {
    type: "RoutingReadParams",
    valid: false,
    why: "a repair is no data",
    value: { ...read, data: "repair-3f9a12c4-2" },
  },
  { type: "GateGroup", valid: true, why: "both kinds under one cost", value: group },
  { type: "GateGroup", valid: false, why: "a unit without a cost", value: { ...group, costs: [] } },
  { type: "GateGroup", valid: false, why: "nothing goes", value: { ...group, amount: 0 } },
];

/** JSON cannot write NaN and infinities; the packed form is what is decoded, the value is for people. */
export function goldenMessagesJson(): string {
  const cases = goldenMessages.map(({ type, valid, why, value }) => ({
    type,
    valid,
    why,
    packed: Buffer.from(encode(value)).toString("hex"),
  }));
  return `${JSON.stringify(cases, null, 2)}\n`;
}
