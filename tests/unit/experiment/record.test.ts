import { describe, expect, it } from "vitest";
import { recordSchema } from "../../../src/schemas.ts";

const model = {
  source: "smollm2-135m",
  revision: null,
  modelType: "llama",
  weightsDigest: "0".repeat(64),
  depth: 30,
  hiddenSize: 576,
  vocabularySize: 49152,
  contextLength: 8192,
  parameters: 134515008,
  parallel: false,
  dtype: "float32",
  device: "cpu",
  attention: "sdpa",
  loadSeconds: 1,
};

describe("a record's model", () => {
  it("is read with and without its pattern, and an absent one is not taken for none", () => {
    const { model: schema } = recordSchema.shape;
    expect(schema.parse(model)).toEqual(model);
    expect(schema.parse({ ...model, pattern: null }).pattern).toBeNull();
    expect(schema.safeParse({ ...model, pattern: { kinds: ["full"] } }).success).toBe(false);
  });
});
