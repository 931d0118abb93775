/**
 * ONNX graphs in onnxruntime itself, against the subnetwork in transformers: log-probabilities at every place of
 * two prompts, and 16 greedy tokens after each, written with a cache and without.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Depthkit, type Model, type OnnxInfo } from "../../src/index.ts";
import { exportProvenance } from "../../src/schemas.ts";
import { tinyModel } from "./tiny-model.ts";

let kit: Depthkit;
let model: Model;
let folder: string;
let tiny: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-onnx-"));
  kit = await Depthkit.start();
  tiny = await tinyModel(folder);
  model = await kit.loadModel(tiny, { device: "cpu" });
});
afterAll(async () => {
  await kit?.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const jsonOf = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("depthkit's own form is a graph of its family, a file each dtype, and a check asks any of them", async () => {
  const subnetwork = model.without(["attention.0", "feed-forward.3", "block.4"]);
  expect(await subnetwork.canExport({ format: "onnx" })).toMatchObject({ possible: true });
  const dtypes = ["fp32", "fp16", "int8", "q4"] as const;
  const info: OnnxInfo = await subnetwork.export(at("own"), { format: "onnx", dtypes, note: "By hand." });
  expect(info).toMatchObject({ modelType: "llama", layers: 4, removed: subnetwork.removed, warnings: [] });
  const [fp32, fp16, int8, q4] = info.graphs;
  expect(info.graphs.map(({ file }) => file)).toEqual([
    "onnx/model.onnx",
    "onnx/model_fp16.onnx",
    "onnx/model_int8.onnx",
    "onnx/model_q4.onnx",
  ]);
  expect(fp32).toMatchObject({ agreement: 1, written: 1, cached: 1, kvBytesPerToken: 4 * 2 * 2 * 8 * 4 });
  expect(fp32?.largestDifference).toBeLessThan(1e-4);
  expect(fp16?.kvBytesPerToken).toBe(4 * 2 * 2 * 8 * 2);
  expect(int8?.meanDifference).toBeLessThan(q4?.meanDifference ?? 0);
  for (const graph of [fp16, int8, q4]) expect(graph?.cached).toBe(1);
  for (const graph of [int8, q4]) expect(graph?.roundingDifference).toBeLessThan(1e-4);

  const config = jsonOf(at("own/config.json"));
  expect(config).toMatchObject({ model_type: "llama", num_hidden_layers: 4, rope_theta: 10000 });
  expect(config).not.toHaveProperty("auto_map");
  expect(existsSync(at("own/modeling_depthkit.py"))).toBe(false);
  const { steps } = exportProvenance.parse(jsonOf(at("own/depthkit.json")));
  expect(steps).toMatchObject([{ layout: "onnx", dtype: "fp32+fp16+int8+q4", weights: info.weightsDigest }]);
  expect(readFileSync(at("own/README.md"), "utf8")).toMatch(/transformers\.js[\s\S]*By hand\./);
  expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);

  const check = await kit.checkExport(at("own"), { dtype: "int8" });
  expect(check.runtime).toMatch(/^onnxruntime \d/);
  expect(check).toMatchObject({ largestDifference: int8?.largestDifference, cached: 1, sameTokens: true });
  await expect(kit.checkExport(at("own"), { trustRemoteCode: true })).rejects.toThrow("holds no code");
  await expect(model.export(at("own"), { format: "onnx" })).rejects.toMatchObject({
    code: "TARGET_NOT_EMPTY",
  });
  await expect(model.export(at("twice"), { format: "onnx", dtypes: ["q4", "q4"] })).rejects.toThrow(
    "names one twice",
  );
});

test("a plain one that is cancelled leaves what was there; with a check it replaces it", async () => {
  const controller = new AbortController();
  let aborted = 0;
  const subnetwork = model.without(["block.1", "block.4"]);
  const cancelled = subnetwork.export(at("own"), {
    format: "onnx",
    overwrite: true,
    signal: controller.signal,
    onProgress: ({ unit }) => {
      if (unit !== "graphs" || aborted > 0) return;
      aborted = performance.now();
      controller.abort();
    },
  });
  await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
  expect(aborted).toBeGreaterThan(0);
  expect(jsonOf(at("own/config.json"))).toHaveProperty("num_hidden_layers", 4);
  // Its turn comes when the worker has tidied up.
  await subnetwork.canExport({ format: "onnx" });
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);

  const info = await subnetwork.export(at("own"), { format: "onnx", overwrite: true, check: true });
  expect(info).toMatchObject({ modelType: "llama", layers: 4, notes: [] });
  expect(info.check?.written).toMatchObject({ agreement: 1, written: 1, cached: 1 });
  expect(info.check?.whole?.agreement).toBe(1);
  expect(readdirSync(at("own/onnx"))).toEqual(["model.onnx"]);
});

test("what software an export is for, and which graph, is refused where it is none", async () => {
  await expect(kit.checkExport(tiny, { runtime: "transformers.js" })).rejects.toThrow("this is none");
  await expect(kit.checkExport(tiny, { runtime: "onnxruntime" })).rejects.toThrow("this is none");
});
