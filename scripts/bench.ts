/**
 * `npm run bench [-- NAME...]`: the figures the project promises, each against its yardstick in the same run,
 * since machines differ and are noisy. Without names all run, one after the other; some take many minutes,
 * repairs hours.
 */
import { delimiter, join } from "node:path";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { setup } from "../src/index.ts";
import { cacheFolder } from "../src/platform/cache-folder.ts";
import { pythonTools } from "./python-tools.ts";
import { root, runStep } from "./steps.ts";

const { model } = await setup();
const { python } = await resolveWorkerPython();
const env = {
  OMP_WAIT_POLICY: "PASSIVE", // as the worker sets it
  PYTHONPATH: [join(root, "python", "src"), process.env["PYTHONPATH"]].join(delimiter),
};
const shared = join(root, "..", "shared");
const texts = join(shared, "data", "calib_wikitext2_train.jsonl");

/** Where a long bench keeps what it has done, for when it is interrupted. */
const kept = (bench: string) => join(cacheFolder(), "bench", bench);

const typescript = (...args: string[]) => runStep(process.execPath, ["--import", "tsx", ...args]);
const inPython = (...args: string[]) => runStep(python, args, { env });

const benches: Record<string, () => unknown> = {
  imports: () => {
    runStep(join(root, "node_modules", ".bin", "tsdown"), ["--no-dts", "--logLevel", "warn"]);
    typescript("bench/imports.ts");
  },
  report: () => typescript("bench/report.ts"),
  bridge: () => typescript("bench/bridge.ts"),
  endings: () => typescript("bench/endings.ts"),
  "llama-cpp": () => typescript("bench/llama-cpp.ts"),
  fuzz: () => typescript("bench/fuzz.ts"),
  soak: () => typescript("bench/soak.ts"),
  engine: () => inPython("bench/engine.py", model.folder, texts, "--threads", "2", "--seconds", "60"),
  remote: () => typescript("bench/remote.ts"),
  screen: () => inPython("bench/screen.py", model.folder, texts, "--threads", "1"),
  "engine-blocks": () => inPython("bench/engine_blocks.py", model.folder),
  "golden-perplexities": () => inPython("bench/golden_perplexities.py", model.folder, shared),
  "engine-memory": () => inPython("bench/engine_memory.py"),
  shapley: () => typescript("bench/shapley/golden-game.ts"),
  "whole-game": () => typescript("bench/shapley/whole-game.ts"),
  honesty: () => typescript("bench/shapley/honesty.ts"),
  search: () => typescript("bench/search/choices.ts", kept("search")),
  "search-enumerated": () => typescript("bench/search/enumerated.ts"),
  "shapley-scale": () => typescript("bench/shapley/scale.ts"),
  "scale-tables": () => inPython("bench/scale/tables.py"),
  "scale-actors": async () => {
    const tools = await pythonTools(); // which have Ray
    const path = [tools.env["PYTHONPATH"], join(root, "bench")].join(delimiter);
    for (const actors of ["1", "2", "4"]) {
      const bench = ["bench/scale/actors.py", model.folder, actors];
      runStep(tools.python, bench, { env: { ...tools.env, PYTHONPATH: path } });
    }
  },
  "lm-eval": async () => {
    // Beside the tests' tools, which have lm-eval.
    const tools = await pythonTools();
    const bench = ["bench/lm-eval/against_lm_eval.py", model.folder, shared];
    runStep(tools.python, bench, { env: tools.env });
  },
  blocks: () => typescript("bench/shapley/blocks.ts", "512", "300", "7", kept("blocks")),
  "coding-rate": () => typescript("bench/coding-rate.ts"),
  "policy-speed": () => typescript("bench/policy-speed.ts"),
  routes: () => typescript("bench/routes.ts", kept("routes")),
  prune: () => typescript("bench/prune.ts", kept("prune")),
  repairs: () => typescript("bench/repairs.ts", kept("repairs")),
  "repairs-masked": () => typescript("bench/repairs.ts", kept("repairs-masked"), "--masked"),
  "repairs-memory": () => typescript("bench/repairs.ts", kept("repairs"), "--memory"),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(", ")}; benches: ${Object.keys(benches).join(", ")}.`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(benches)) {
  console.error(`\n== ${name}`);
  await benches[name]?.();
}
