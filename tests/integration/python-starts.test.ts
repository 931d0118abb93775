/** Whatever starts a Python starts it alike: nothing of the caller's folder is run, and text is UTF-8. */
import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { findInterpreter } from "../../src/environment/interpreter.ts";
import { pythonReference } from "../../src/environment/python-reference.ts";
import { runModule } from "../../src/environment/run-module.ts";
import { setup } from "../../src/environment/setup.ts";
import { verifyModules } from "../../src/environment/verify-modules.ts";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import { Depthkit, doctor } from "../../src/index.ts";
import { openPython } from "../../src/python/open-python.ts";
import { temporaryFolder, writeFile } from "../unit/platform/temporary-folder.ts";

const root = join(import.meta.dirname, "../..");
let python: string;

beforeAll(async () => {
  await setup();
  ({ python } = await resolveWorkerPython());
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test("modules in the caller's folder are run by none of them", async () => {
  const folder = temporaryFolder();
  const marker = join(folder, "was-run");
  for (const name of ["random", "json", "platform", "runpy", "numpy", "torch", "pip", "argparse"]) {
    writeFile(join(folder, `${name}.py`), `open(${JSON.stringify(marker)}, "a").write("${name} ")\n`);
  }
  const gguf = writeFile(join(folder, "model.gguf"), "GGUF, but nothing behind it");
  const back = process.cwd();
  onTestFinished(() => process.chdir(back));
  process.chdir(folder);

  await using kit = await Depthkit.start();
  // The converter is a child of the worker's.
  await expect(kit.loadModel(gguf)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  await using py = await openPython();
  expect(await py`__import__("random").__name__`).toBe("random");
  await findInterpreter();
  await doctor();
  await pythonReference();
  expect(await runModule(python, ["pip", "--version"])).toMatchObject({ code: 0 });
  expect(await runModule(python, ["pip", "--version"], { isolated: false })).toMatchObject({ code: 0 });
  for (const own of [true, false]) {
    await verifyModules({ python, modules: [{ module: "numpy", package: "numpy" }], own, env: process.env });
  }
  expect(existsSync(marker) ? readFileSync(marker, "utf8") : "").toBe("");
});

describe("every start in the sources", () => {
  const sources = (folder: string, suffix: string) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(suffix))
      .map((file) => [join(folder, file), readFileSync(join(root, folder, file), "utf8")] as const);

  test("in TypeScript takes its flags from python-flags.ts", () => {
    const starts = sources("src", ".ts").flatMap(([file, text]) =>
      [...text.matchAll(/\b(?:execa|spawn|runChild)\((\w+(?:\.\w+)?), (\[[^\]]*\]|args)/g)].map(
        ([, program, args = ""]) => ({ file, program, args }),
      ),
    );
    // What runChild itself is given comes from those here; Node starts scripts of its own.
    const own = starts.filter(
      ({ file, program }) => !file.endsWith("run-child.ts") && program !== "process.execPath",
    );
    expect(own.map(({ file }) => file).sort()).toEqual([
      "src/environment/interpreter-probe.ts",
      "src/environment/python-reference.ts",
      "src/environment/run-module.ts",
      "src/environment/run-module.ts", // for a program beside Python
      "src/environment/verify-modules.ts",
      "src/python/start-python.ts",
      "src/worker/launch.ts",
    ]);
    for (const { file, args } of own) expect(args, file).toMatch(/ISOLATED|SAFE_PATH/);
  });

  test("in Python gives the same flags", () => {
    const starts = sources("python/src", ".py").flatMap(([file, text]) =>
      [...text.matchAll(/\[(?:str\(python or )?sys\.executable\)?,([^\]]*)\]/g)].map(([, args = ""]) => ({
        file,
        args,
      })),
    );
    expect(starts.map(({ file }) => file)).toEqual(["python/src/depthkit_worker/models/child.py"]);
    for (const { file, args } of starts) expect(args, file).toMatch(/^ \*FLAGS,/);
    // No other way to start a program is used.
    for (const [file, text] of sources("python/src", ".py")) {
      expect(text, file).not.toMatch(/os\.(system|popen|exec|spawn)|import multiprocessing/);
    }
  });
});

test("a path with an accent is opened whatever the locale says", async () => {
  const folder = join(temporaryFolder(), "données");
  const text = writeFile(join(folder, "é.txt"), "Ä text of some words, as there are many. ".repeat(20));
  const gguf = writeFile(join(folder, "modèle.gguf"), "GGUF, but nothing behind it");
  symlinkSync((await setup()).model.folder, join(folder, "modèle"));
  vi.stubEnv("LC_ALL", "C");
  vi.stubEnv("PYTHONUTF8", "0");
  vi.stubEnv("PYTHONCOERCECLOCALE", "0");

  await using kit = await Depthkit.start();
  await using model = await kit.loadModel(join(folder, "modèle"));
  await using corpus = await model.loadCorpus(text, { length: 16 });
  expect(corpus.info.data).toMatchObject({ files: [text], lines: 1 });
  const out = join(folder, "ausgeführt");
  await model.without(["block.3"]).export(out, { format: "huggingface", note: "Gewählt" });
  expect(readFileSync(join(out, "README.md"), "utf8")).toContain("Gewählt");
  await expect(kit.loadModel(gguf)).rejects.toMatchObject({
    code: "MODEL_INVALID",
    message: expect.stringContaining("modèle.gguf"),
  });
  await using py = await openPython();
  expect(await py`open(${text}).read(6)`).toBe("Ä text");
  const args = ["depthkit_worker.models.convert_gguf", "--gguf", gguf, "--out", join(folder, "à côté")];
  const env = { ...process.env, PYTHONPATH: join(root, "python/src") };
  const { lines } = await runModule(python, args, { isolated: false, env });
  expect(lines.join("\n")).toContain("MODEL_INVALID");
});
