import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isModelWhole, manifestFile } from "../../../src/environment/bundled-model.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

test("a model is whole while every listed file has its size", () => {
  const folder = temporaryFolder();
  expect(isModelWhole(folder)).toBe(false);
  const weights = writeFile(join(folder, "model.safetensors"), "12345678");
  const files = { "model.safetensors": { bytes: 8, sha256: "0" } };
  writeFile(manifestFile(folder), JSON.stringify({ source: "a.gguf", files }));
  expect(isModelWhole(folder)).toBe(true);
  writeFile(weights, "1234");
  expect(isModelWhole(folder)).toBe(false);
  rmSync(weights);
  expect(isModelWhole(folder)).toBe(false);
  writeFile(manifestFile(folder), "{");
  expect(isModelWhole(folder)).toBe(false);
  writeFile(manifestFile(folder), JSON.stringify({ files: {} }));
  expect(isModelWhole(folder)).toBe(false);
});
