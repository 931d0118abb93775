import { createRequire } from "node:module";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { bundledModel, isBundledModelReady } from "../environment/bundled-model.ts";
import { environmentState } from "../environment/environment-state.ts";
import { checkOwnInterpreter, findInterpreter } from "../environment/interpreter.ts";
import { onnxRequirements } from "../environment/onnx-environment.ts";
import { resolveWorkerPython, type WorkerPython, workerModules } from "../environment/worker-python.ts";
import { aFlag, aNumberAbove, aSignal, aText, type Checks, checkOptions, listOf } from "../options.ts";
import { cacheFolder, modelsFolder } from "../platform/cache-folder.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { readJson } from "../platform/json.ts";
import { packageRoot, packageVersion } from "../platform/package-root.ts";
import { cacheReport } from "./cache-report.ts";
import { cacheProblems, inspectionProblems, leftoverProblems, problemOf } from "./doctor-problems.ts";
import { type DoctorReport, doctorReport, type Problem } from "./doctor-report.ts";
import { type Inspection, inspectPython } from "./inspect-python.ts";

/** What `doctor` takes. */
export interface DoctorOptions {
  /** Aborting ends the inspection; it rejects with CANCELLED. */
  signal?: AbortSignal | undefined;
  /** How long Python may take to describe itself, in milliseconds; 120,000 by default. */
  timeoutMs?: number | undefined;
  /** Where exports and saves go: looked in, beside the cache, for what killed ones left. */
  folders?: readonly string[] | undefined;
  /** Remove what killed processes left there; otherwise nothing is changed. */
  clean?: boolean | undefined;
}

const doctorChecks: Checks<DoctorOptions> = {
  signal: aSignal,
  timeoutMs: aNumberAbove(0),
  folders: listOf(aText),
  clean: aFlag,
};

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  checkOptions("doctor", options, doctorChecks);
  const problems: Problem[] = [];
  const worker = await resolveWorkerPython().catch((error: unknown) => {
    problems.push(problemOf(error));
    return undefined;
  });
  const inspection = await look(worker, problems, options);
  const { facts, leftovers } = inspection;
  if (worker) problems.push(...inspectionProblems(worker.python, worker.managed, inspection));

  const cache = await cacheReport(worker?.environment);
  throwIfCancelled(options.signal, "The inspection");
  problems.push(...cacheProblems(cache, isBundledModelReady(), bundledModel().folder));
  problems.push(...leftoverProblems(leftovers));
  return doctorReport.parse({
    node: nodeReport(),
    machine: {
      cpu: cpus()[0]?.model.trim() || "unknown",
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      freeMemoryBytes: freemem(),
    },
    python: {
      command: worker?.python ?? null,
      managed: worker?.managed ?? true,
      interpreter: facts.interpreter ?? null,
      packages: facts.packages ?? null,
      extras: facts.extras ?? null,
      devices: facts.devices ?? null,
      attention: facts.attention ?? null,
    },
    cache,
    onnx: onnxReport(),
    leftovers: leftovers ?? null,
    problems,
    healthy: problems.every((problem) => problem.severity !== "error"),
  } satisfies DoctorReport);
}

function onnxReport(): DoctorReport["onnx"] {
  const state = environmentState(onnxRequirements());
  const packages = state.kind === "ready" ? state.environment.marker.versions : null;
  return { state: state.kind, packages };
}

async function look(
  worker: WorkerPython | undefined,
  problems: Problem[],
  options: DoctorOptions,
): Promise<Inspection> {
  const nothing: Inspection = { facts: {} };
  const { signal } = options;
  try {
    if (!worker) {
      // Whether `npx depthkit setup` could make the environment that is missing.
      await findInterpreter({ signal });
      return nothing;
    }
    await checkOwnInterpreter(worker.python, signal);
  } catch (error) {
    throwIfCancelled(signal, "The inspection");
    problems.push(problemOf(error));
    return nothing;
  }
  return inspectPython({
    python: worker.python,
    env: { ...process.env, ...worker.env, PYTHONPATH: workerModules(worker.env["PYTHONPATH"]) },
    // The first import of torch on a cold disk takes 8 s and more, on a busy machine many times that.
    timeoutMs: options.timeoutMs ?? 120_000,
    signal,
    folders: [cacheFolder(), modelsFolder(), ...(options.folders ?? []).map((folder) => resolve(folder))],
    clean: options.clean ?? false,
  });
}

function nodeReport(): DoctorReport["node"] {
  return {
    version: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    depthkit: packageVersion(),
    packages: {
      zeromq: installed("zeromq"),
      msgpackr: installed("msgpackr"),
      pythonia: installed("pythonia"),
    },
  };
}

/** A package's version without loading it; its `exports` may hide its package.json from `require`. */
function installed(name: string): string | null {
  const folders = createRequire(join(packageRoot(), "package.json")).resolve.paths(name) ?? [];
  for (const folder of folders) {
    const manifest = readJson(join(folder, name, "package.json"), z.object({ version: z.string() }));
    if (manifest) return manifest.version;
  }
  return null;
}
