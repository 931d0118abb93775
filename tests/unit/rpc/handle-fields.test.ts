import { expect, test } from "vitest";
import { type MethodName, methods } from "../../../src/protocol/methods.ts";
import { handlesIn, withHandles } from "../../../src/rpc/handle-fields.ts";

test("handles are found where the contract has them, in every method", () => {
  const model = "model-00000000-1";
  const all = { model, corpus: "c", task: "t", data: "d", repairs: ["r", "s"] };
  const found = Object.fromEntries(
    Object.keys(methods).map((method) => [method, handlesIn(method as MethodName, all).join(" ")]),
  );
  expect(found).toMatchObject({
    "model.load": "",
    "model.unload": model,
    "corpus.load": model,
    "corpus.unload": "c",
    "task.unload": "t",
    "generation.unloadTask": "t",
    "subnetworks.evaluate": `${model} d r s`,
    "corpus.write": `${model} c`,
    "influence.stream": `${model} r s c`,
    "influence.measure": `${model} r s c`,
    "evaluation.perplexity": `${model} r s`,
    "evaluation.choices": `${model} r s t`,
    "repair.fit": `${model} r s c`,
    "repair.unload": "r s",
    "generation.solve": `${model} r s t`,
    "export.huggingface": `${model} r s`,
    "worker.status": "",
  });
});

test("only handles are put in the place of handles", () => {
  const params = { model: "m", prompts: ["m"], repairs: ["r", "other"] };
  const instead = new Map([
    ["m", "M"],
    ["r", "R"],
  ]);
  expect(withHandles("generation.generate", params, instead)).toEqual({
    model: "M",
    prompts: ["m"],
    repairs: ["R", "other"],
  });
});
