import { expect, test } from "vitest";
import { DepthkitError } from "../../../src/errors.ts";
import { methods } from "../../../src/protocol/methods.ts";
import { parseParams } from "../../../src/rpc/parse-params.ts";

const subject = { model: "model-3f9a12c4-1", removed: ["block.3"], repairs: [] };

function refusal(method: "generation.generate" | "repair.fit" | "task.load", own: object): string {
  const params = { ...subject, ...own };
  try {
    parseParams(method, methods[method].params, params);
  } catch (error) {
    return error instanceof DepthkitError ? error.message : String(error);
  }
  throw new Error("was not refused");
}

test.each([
  [{ prompts: ["x"], maxNewTokens: 0 }, /maxNewTokens: .*>=1; got 0\.$/],
  [
    { prompts: ["x"], maxNewToken: 5 },
    /there is no option "maxNewToken" \(did you mean "maxNewTokens"\?\); options: chat, /,
  ],
  [{ prompts: ["x"], topP: "most" }, /topP: .*number.*; got "most"\.$/],
  [{ prompts: ["x"], stop: ["ok", ""] }, /stop\.1: .*; got ""\.$/],
  [
    { prompts: ["x"], stop: "Question:" },
    /stop: expected a list; got the string "Question:"\. Write \["Question:"\]\.$/,
  ],
  [{ prompts: ["x", "caf\ud83d"] }, /prompts\.1: it holds half a surrogate pair at character 3/],
  [{ prompts: ["x"], temperature: Number.NaN }, /temperature: .*NaN/],
])("generate with %j says where, what, and what is allowed", (options, words) => {
  expect(refusal("generation.generate", options)).toMatch(words);
});

const repairWith = (repair: object) => refusal("repair.fit", { corpus: "corpus-3f9a12c4-1", repair });

test("a repair's own options are named, and its methods where it is none", () => {
  expect(repairWith({ method: "fold", rank: 8 })).toBe(
    'repair.fit: repair: there is no option "rank"; options: method, reference, ridge, objective, descent.',
  );
  expect(repairWith({ method: "voodoo" })).toMatch(
    /"voodoo" is none of its methods: emulated-update, bias, /,
  );
  expect(repairWith({ method: "lora", training: { stepz: 3 } })).toMatch(
    /repair\.training: there is no option "stepz" \(did you mean "steps"\?\); options: objective, /,
  );
});

test.each([
  [{ learningRate: 1e38 }, /repair\.training\.learningRate: .*100.*1e\+38/],
  [{ batchSize: 1e9 }, /repair\.training\.batchSize: .*65536/],
  [{ accumulation: 1e9 }, /repair\.training\.accumulation: .*65536/],
])("a training with %j is refused with its bound", (training, words) => {
  expect(repairWith({ method: "lora", training })).toMatch(words);
});

test("several faults are told at once", () => {
  const both = refusal("generation.generate", { prompts: [], seed: -1 });
  expect(both).toContain("prompts: ");
  expect(both).toContain("seed: ");
});
