import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Depthkit,
  type Model,
  type ModelSearchOptions,
  planStudy,
  prune,
  runPlan,
} from "../../src/index.ts";
import { keepsPattern } from "../../src/selection/pattern.ts";
import { type AlteredModel, alteredModel } from "./altered-model.ts";
import { cli } from "./cli.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

/** Eight blocks; the fourth and the eighth have no rotary positions, by which llama.cpp goes by number. */
const SMOLLM3 = `
from transformers import SmolLM3Config, SmolLM3ForCausalLM
model = SmolLM3ForCausalLM(SmolLM3Config(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=8,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
    bos_token_id=0, eos_token_id=0, pad_token_id=0, tie_word_embeddings=True,
))
${LIVELY}
`;

let altered: AlteredModel;
let kit: Depthkit;
let fromGguf: string;
let model: Model;
let asked: Pick<ModelSearchOptions, "fit" | "choose">;
beforeAll(async () => {
  altered = await alteredModel(SMOLLM3);
  ({ kit } = altered);
  mkdirSync(join(altered.folder, "gguf"));
  fromGguf = await tinyModel(join(altered.folder, "gguf"), SMOLLM3);
  // As of a model that was converted from a GGUF file at loading.
  const manifest = { source: "base.gguf", sha256: "a".repeat(64), files: {} };
  writeFileSync(join(fromGguf, "depthkit-model.json"), JSON.stringify(manifest));
  model = await kit.loadModel(fromGguf, { device: "cpu" });
  asked = { fit: altered.fit, choose: altered.choose };
});
afterAll(async () => await altered.close());

const blocksOf = (removed: readonly string[]) => removed.map((unit) => Number(unit.slice("block.".length)));
const search = (options: Omit<ModelSearchOptions, "fit" | "choose">) =>
  model.search({ ...asked, ...options });

describe("a search for a format", () => {
  test("never chooses what the format does not hold", async () => {
    const { pattern } = model.info;
    const free = await search({ budget: 2, strategy: "lowest" });
    expect(keepsPattern(pattern, blocksOf(free.removed))).toBe(false);
    expect((await free.subnetwork.canExport({ format: "gguf" })).possible).toBe(false);
    for (const strategy of ["greedy", "lowest", "beam"] as const) {
      const found = await search({ budget: 2, strategy, exportable: "gguf" });
      expect(found.removed).toHaveLength(2);
      expect((await found.subnetwork.canExport({ format: "gguf" })).possible).toBe(true);
      const kept = await search({ budget: 2, strategy, pattern: "keep" });
      expect(kept.removed).toEqual(found.removed);
    }
    // A checkpoint holds all of them.
    const checkpoint = await search({ budget: 2, strategy: "lowest", exportable: "huggingface" });
    expect(checkpoint.removed).toEqual(free.removed);
  });

  test("leaves units that the format needs, and says which", async () => {
    const players = ["attention.2", "block.4", "block.5", "block.6", "block.7"] as const;
    const found = await search({ budget: 4, players, strategy: "greedy", exportable: "gguf" });
    expect(found.removed).toEqual(players.slice(1));
    expect(found.notes.find((note) => note.includes("These stay"))).toMatch(
      /a GGUF file does not hold the model without them: attention\.2\. .*Llama's shape/,
    );
    await expect(
      search({ budget: 5, players, strategy: "greedy", exportable: "gguf" }),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/all candidates together are 4\..*These stay/),
    });
    await expect(search({ budget: 1, players: ["attention"], exportable: "gguf" })).rejects.toMatchObject({
      code: "EXPORT_UNSUPPORTED",
      message: expect.stringMatching(
        /without attention\.0, nor without any other of the 8 units\..*Llama's shape/,
      ),
    });
  });

  test("is refused before any work where its repair has no form there", async () => {
    let measured = 0;
    const onProgress = () => {
      measured += 1;
    };
    const repair = { method: "low-rank", rank: 2 } as const;
    const options = { budget: 2, strategy: "lowest", exportable: "gguf", onProgress } as const;
    await expect(search({ ...options, repair, scores: { metric: "cosine" } })).rejects.toMatchObject({
      code: "EXPORT_UNSUPPORTED",
      message: expect.stringContaining("repaired by low-rank"),
    });
    const lora = { name: "learned-gates", steps: 1, lora: { rank: 1 } } as const;
    await expect(search({ ...options, strategy: lora })).rejects.toMatchObject({
      code: "EXPORT_UNSUPPORTED",
      message: expect.stringContaining("repaired by lora"),
    });
    expect(measured).toBe(0);
    // What is put in place afterwards may be another repair, or none.
    const bare = { format: "gguf", repairs: [] } as const;
    const found = await search({ ...options, repair, exportable: bare });
    expect(keepsPattern(model.info.pattern, blocksOf(found.removed))).toBe(true);
  });

  test("is refused numbers of blocks that cannot be, before any work", async () => {
    const candidates = ["block.0", "block.1"] as const;
    const call = search({
      budget: 1,
      candidates,
      exportable: "gguf",
      scores: { metric: "cosine" },
      strategy: "lowest",
    });
    await expect(call).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("no 1 of the 2 candidates can go so"),
    });
    await expect(search({ budget: 1, players: "attention", pattern: "keep" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("is no whole block"),
    });
  });

  test("is refused a choice that only as a whole has no form, with the nearest", async () => {
    const tiny = await kit.loadModel(await tinyModel(altered.folder), { device: "cpu" });
    const call = tiny.search({
      ...asked,
      budget: 6,
      players: "attention",
      strategy: "tail",
      exportable: "huggingface",
    });
    await expect(call).rejects.toMatchObject({
      code: "EXPORT_UNSUPPORTED",
      message: expect.stringMatching(
        /Every attention is removed.*The nearest that it holds is the model without/,
      ),
    });
    await expect(tiny.search({ ...asked, budget: 1, pattern: "keep" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("all blocks of this model are of one kind"),
    });
  });

  test("in the terminal", async () => {
    const text = join(altered.folder, "text.txt");
    writeFileSync(text, Array.from({ length: 400 }, (_, at) => `Line ${at ** 2} of the text.`).join(" "));
    const flags = [
      "--data",
      text,
      "--length",
      "32",
      "--fit",
      "4",
      "--choose",
      "4",
      "--report",
      "0",
      "--json",
    ];
    const model = ["search", "--model", fromGguf, "--budget", "2", "--strategy", "lowest"];
    const run = (...last: string[]) =>
      promisify(execFile)(process.execPath, [...cli, ...model, ...flags, ...last]);
    const { stdout } = await run("--exportable", "gguf", "--pattern", "keep");
    const { search: found, model: info } = JSON.parse(stdout);
    expect(found.removed).toHaveLength(2);
    expect(keepsPattern(info.pattern, blocksOf(found.removed))).toBe(true);
  });
});

test("pruning into a file that goes by a block's number chooses what keeps the order", async () => {
  const lines = Array.from({ length: 400 }, (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`);
  const options = {
    model: fromGguf,
    load: { device: "cpu" },
    budget: 2,
    data: { texts: [lines.join("\n")] },
    text: { length: 32, fit: 4, choose: 4, report: 4 },
    export: { format: "gguf" },
    baselines: ["tail", "cosine", "greedy"],
  } as const;
  const repaired = prune(kit, { ...options, out: join(altered.folder, "repaired.gguf") });
  await expect(repaired).rejects.toMatchObject({
    code: "EXPORT_UNSUPPORTED",
    message: expect.stringContaining("repaired by low-rank"),
  });
  const seen: string[][] = [];
  const run = prune(kit, {
    ...options,
    repair: null,
    out: join(altered.folder, "smaller.gguf"),
    onEvent: (event) => {
      if (event.kind === "contender") seen.push([...event.contender.removed]);
    },
  });
  // The file that it was made from is not there.
  await expect(run).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  expect(seen).toHaveLength(4);
  for (const removed of seen) expect(keepsPattern(model.info.pattern, blocksOf(removed))).toBe(true);
});

describe("a study for a format", () => {
  const lines = Array.from({ length: 300 }, (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`);
  const others = Array.from({ length: 300 }, (_, at) => `Line ${at ** 2} of the text.`);
  const plan = () =>
    ({
      model: { source: fromGguf, device: "cpu" },
      calibration: { data: { texts: [lines.join(" ")] }, sequences: 4, length: 32, choose: [4] },
      rankings: [
        { by: "influence" },
        {
          by: "order",
          name: "given",
          order: ["block.1", "block.5", "block.7", "block.4", "block.6", "block.2"],
        },
        { by: "search", recipe: "tail" },
        { by: "search", strategy: "greedy" },
      ],
      removals: [2, 4],
      evaluations: [{ kind: "perplexity", data: { texts: [others.join(" ")] }, chunk: 32, maxChunks: 2 }],
    }) as const;

  test("removes what the format holds, however it ranks", async () => {
    const settled = { ...plan(), exportable: "gguf" } as const;
    const { subnetworks, rankings } = await runPlan(kit, settled, { folder: join(altered.folder, "study") });
    const removals = subnetworks.filter(({ removed }) => removed.length > 0).map(({ removed }) => removed);
    expect(removals.length).toBeGreaterThan(2);
    for (const removed of removals) {
      expect((await model.without(removed).canExport({ format: "gguf" })).possible).toBe(true);
    }
    expect(rankings).toHaveLength(4);
    expect(rankings.flatMap(({ sets }) => sets.flatMap(({ error }) => error ?? []))).toEqual([]);
    const free = await runPlan(kit, plan(), { folder: join(altered.folder, "free") });
    const sets = free.subnetworks.map(({ removed }) => keepsPattern(model.info.pattern, blocksOf(removed)));
    expect(sets).toContain(false);
    const { rows } = await planStudy(kit, settled, { folder: join(altered.folder, "study") });
    expect(rows.filter(({ kind, steps, known }) => kind === "ranking" && steps !== known)).toEqual([]);
  });

  test("is refused whole for what the format does not hold, with the place in the plan", async () => {
    const wrong = {
      ...plan(),
      exportable: "gguf",
      rankings: [
        { by: "influence", units: "attention" },
        { by: "influence" },
        { by: "order", name: "given", order: ["block.0", "block.1"] },
      ],
      repairs: [
        { method: "low-rank", rank: 2 },
        { name: "two", steps: [{ method: "emulated-update" }], where: { rankings: ["cosine"] } },
      ],
      removals: [1],
    } as const;
    const error = await planStudy(kit, wrong).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    const { message } = error as Error;
    expect(message).toMatch(/rankings\.0: .*without attention\.0.*Llama's shape/);
    expect(message).toMatch(/rankings\.2: .*no 1 of the 2 candidates can go so/);
    const fewer = { ...wrong, rankings: [{ by: "influence" }], removals: [2] } as const;
    const other = await planStudy(kit, fewer).catch((thrown: unknown) => thrown);
    expect((other as Error).message).toMatch(/repairs\.0: .*repaired by low-rank/);
    expect((other as Error).message).toMatch(/repairs\.1: .*constant/);
  });
});
