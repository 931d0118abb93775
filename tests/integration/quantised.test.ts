/** A quantised checkpoint through the SDK: FP8, which needs no library beside the worker's own. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import { Depthkit, type Model, prune } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

/** Squares of 16 x 16 weights share a scale; the largest number of FP8 is 448. */
const QUANTISE = `
import json, sys, torch
from pathlib import Path
from safetensors.torch import load_file, save_file
folder = Path(sys.argv[1])
tensors = load_file(folder / "model.safetensors")
for name in [name for name in tensors if "_proj." in name]:
    rows, columns = tensors[name].shape
    squares = tensors[name].view(rows // 16, 16, columns // 16, 16)
    scale = squares.abs().amax((1, 3)) / 448
    tensors[name] = (squares / scale[:, None, :, None]).view(rows, columns).to(torch.float8_e4m3fn)
    tensors[f"{name}_scale_inv"] = scale
save_file(tensors, folder / "model.safetensors", {"format": "pt"})
config = json.loads((folder / "config.json").read_text())
config["quantization_config"] = {
    "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [16, 16],
    "modules_to_not_convert": ["lm_head", "model.layers.4.mlp.gate"],
}
(folder / "config.json").write_text(json.dumps(config))
`;

let kit: Depthkit;
let model: Model;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-quantised-"));
  const tiny = await tinyModel(folder);
  const { python, env } = await resolveWorkerPython();
  await promisify(execFile)(python, ["-I", "-c", QUANTISE, tiny], { env: { ...process.env, ...env } });
  kit = await Depthkit.start();
  model = await kit.loadModel(tiny, { device: "cpu" });
});
afterAll(async () => {
  await kit?.close();
  rmSync(folder, { recursive: true, force: true });
});

const texts = ["The library of the small town was built in the last century.", "Water boils in a pot."];

test("says how it is quantised, and is measured, in blocks and in sublayers", async () => {
  const { quantisation, notes, dtype } = model.info;
  const scheme = "blocks of 16x16";
  expect(quantisation).toEqual({ method: "fp8", bits: [8], scheme, packed: false, library: null });
  expect(dtype).toBe("float32");
  expect(notes[0]).toContain("transformers makes plain weights of it");
  const corpus = await model.loadCorpus({ texts }, { length: 16 });
  const influence = await model.influence(corpus, { units: "block" });
  expect([...influence.lowest(6)].sort()).toEqual(model.units("block"));
  const without = await model.without(["attention.2"]).perplexity({ texts }, { chunk: 16 });
  expect(without.loss).toBeGreaterThan(0);
});

test("is saved without blocks in the same form, which loads and answers alike", async () => {
  const subnetwork = model.without(["block.1", "block.3"]);
  const out = join(folder, "out");
  const made = await subnetwork.export(out, { format: "huggingface" });
  expect(made).toMatchObject({ layout: "plain", keptBlocks: [0, 2, 4, 5], maxLogitDifference: 0 });
  expect(made.weightBytesAfter).toBeLessThan(made.weightBytesBefore);
  const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
  expect(config.quantization_config.modules_to_not_convert).toEqual(["lm_head", "model.layers.2.mlp.gate"]);
  const checked = await kit.checkExport(out);
  expect(checked).toMatchObject({ agreement: 1, written: 1, cached: 1 });
  expect(checked.largestDifference).toBeLessThan(1e-5);
  const again = await kit.loadModel(out, { device: "cpu" });
  expect(again.info.quantisation).toEqual(model.info.quantisation);
  const options = { chunk: 16 };
  const here = await subnetwork.perplexity({ texts }, options);
  const there = await again.perplexity({ texts }, options);
  expect(there.loss).toBe(here.loss);
});

test("what its form has no place for is refused by name", async () => {
  for (const format of ["gguf", "onnx"] as const) {
    const answer = await model.canExport({ format });
    expect(answer).toMatchObject({ possible: false, nearest: null });
    expect(answer.reason).toContain("quantised by FP8, 8 bit (blocks of 16x16)");
  }
  const answer = await model.without(["attention.2", "block.5"]).canExport({ format: "huggingface" });
  expect(answer).toMatchObject({ possible: false, nearest: { removed: ["block.5"], repairs: [] } });
});

test("what its own form does not hold is refused before a search or a pruning begins", async () => {
  const corpus = await model.loadCorpus({ texts }, { length: 16 });
  const sublayers = model.search({
    budget: 1,
    players: "attention",
    choose: corpus,
    exportable: "huggingface",
  });
  await expect(sublayers).rejects.toMatchObject({
    code: "EXPORT_UNSUPPORTED",
    message: expect.stringContaining("without attention.0, nor without any other of the 6 units"),
  });
  const blocks = await model.search({
    budget: 1,
    strategy: "tail",
    choose: corpus,
    exportable: "huggingface",
  });
  expect((await blocks.subnetwork.canExport({ format: "huggingface" })).possible).toBe(true);
  const lines = Array.from({ length: 300 }, (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`);
  const pruned = prune(kit, {
    model: join(folder, "tiny"),
    load: { device: "cpu" },
    budget: 1,
    data: { texts: [lines.join("\n")] },
    text: { length: 16, fit: 4, choose: 4, report: 4 },
    repair: null,
    heal: { method: "lora", training: { steps: 1 } },
    out: join(folder, "pruned"),
  });
  await expect(pruned).rejects.toMatchObject({
    code: "EXPORT_UNSUPPORTED",
    message: expect.stringContaining("repaired by lora"),
  });
});
