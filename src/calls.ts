/**
 * The entry point's calls. Each loads what it needs when it is first made, so that `import "depthkit"` waits
 * neither for the schemas nor for ZeroMQ: a program may import it for its types, or to look at a record.
 */
import type { DoctorOptions } from "./doctor/doctor.ts";
import type { DoctorReport } from "./doctor/doctor-report.ts";
import type { SetupOptions, SetupResult } from "./environment/setup.ts";
import type { CompareRepairsOptions, RepairComparison } from "./experiment/compare-repairs.ts";
import type { PruneOptions } from "./experiment/prune/options.ts";
import type { PrunePlan, PruneRecord } from "./experiment/prune/record.ts";
import type { PlanStudyOptions } from "./experiment/study/cost/plan-study.ts";
import type { StudyCost } from "./experiment/study/cost/schema.ts";
import type { Plan } from "./experiment/study/plan.ts";
import type { StudyRecord } from "./experiment/study/record.ts";
import type { RunOptions } from "./experiment/study/run.ts";
import type { Corpus } from "./model/corpus.ts";
import type { Depthkit } from "./model/depthkit.ts";
import type { Subnetwork } from "./model/model.ts";
import type { MadeKeys, MakeKeysOptions } from "./worker/keys.ts";
import type { ListeningWorker, ListenOptions } from "./worker/listen.ts";

/**
 * Prepares what a worker needs: its Python environment and the bundled model. Returns at once, without
 * starting a process, where both are in order.
 *
 * @throws DepthkitError PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_UNSUPPORTED, VENV_UNAVAILABLE,
 * MODULE_MISSING, DISK_FULL, NETWORK, SETUP_FAILED, CANCELLED
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  return (await import("./environment/setup.ts")).setup(options);
}

/**
 * Looks at everything a worker depends on and says what is wrong and what to do. Changes nothing.
 *
 * @throws DepthkitError INVALID_ARGUMENT, CANCELLED
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  return (await import("./doctor/doctor.ts")).doctor(options);
}

/**
 * The chapters of the Python language reference that come with every Python: plain English prose about
 * a technical matter, some 400 kB, for trying things out where no other text is at hand.
 *
 * @throws DepthkitError ENVIRONMENT_MISSING, FILE_NOT_FOUND
 */
export async function pythonReference(): Promise<string[]> {
  return (await import("./environment/python-reference.ts")).pythonReference();
}

/**
 * Carries out a study: ranks units in every way that the plan names, removes step by step what they say, puts
 * repairs in place, and measures every subnetwork once on everything that is asked of it. What cannot be done
 * is in the record with its reason, and the rest goes on (docs/studies.md).
 *
 * @throws DepthkitError INVALID_ARGUMENT with everything that is wrong with the plan, before anything is
 * begun; OUT_OF_MEMORY, DISK_FULL, CANCELLED
 */
export async function runPlan(kit: Depthkit, plan: Plan, options: RunOptions): Promise<StudyRecord> {
  return (await import("./experiment/study/run.ts")).runPlan(kit, plan, options);
}

/**
 * What {@link runPlan} with the same plan would do and how long that takes on this device, by a sample of
 * each kind of its work. Static influence is measured for real; what other rankings will say is guessed by
 * it. With the folder of the study nothing is counted that is done there, and what is measured is kept for
 * the run, whose record says how far off this was (docs/studies.md).
 *
 * @throws DepthkitError INVALID_ARGUMENT with everything that is wrong with the plan; OUT_OF_MEMORY,
 * DISK_FULL, CANCELLED
 */
export async function planStudy(
  kit: Depthkit,
  plan: Plan,
  options: PlanStudyOptions = {},
): Promise<StudyCost> {
  return (await import("./experiment/study/cost/plan-study.ts")).planStudy(kit, plan, options);
}

/**
 * Makes a model smaller by a budget: splits the text into parts that share nothing, searches under repair,
 * compares the set with those of cheaper ways at the same size, all with the same repair on text that none
 * has seen, and saves the best of them. What was finished is kept: the same call goes on from there
 * (docs/prune.md).
 *
 * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, BUDGET_TOO_SMALL, TARGET_NOT_EMPTY,
 * NOT_MEASURABLE, EXPORT_UNSUPPORTED, OUT_OF_MEMORY, DISK_FULL, CANCELLED
 */
export async function prune(kit: Depthkit, options: PruneOptions): Promise<PruneRecord> {
  return (await import("./experiment/prune/prune.ts")).prune(kit, options);
}

/**
 * What {@link prune} with the same options would spend its time on, by a pace that is measured first and kept
 * for it. Nothing is searched beyond the cheapest baseline, and nothing is saved but that.
 *
 * @throws DepthkitError as `prune`
 */
export async function planPrune(kit: Depthkit, options: PruneOptions): Promise<PrunePlan> {
  return (await import("./experiment/prune/prune.ts")).planPrune(kit, options);
}

/**
 * Repairs one subnetwork in several ways and scores each beside the dense model and the bare removal, on
 * the same data: what every repair won, and what it cost. One that does not apply is a row with its error.
 *
 * @throws DepthkitError INVALID_ARGUMENT where the evaluation text is the one the repairs are fitted to
 */
export async function compareRepairs(
  pruned: Subnetwork,
  corpus: Corpus,
  options: CompareRepairsOptions,
): Promise<RepairComparison> {
  return (await import("./experiment/compare-repairs.ts")).compareRepairs(pruned, corpus, options);
}

/**
 * Makes a key file, and `NAME.pub` with its public key beside it, or adds to one that is there. A worker that
 * listens and each of its clients has one, made on its own machine; they trust each other's public keys. A
 * secret is never printed and never leaves its file.
 *
 * @throws DepthkitError INVALID_ARGUMENT, FILE_NOT_FOUND, TARGET_NOT_EMPTY where the file is there and
 * nothing is to be added
 */
export async function makeKeys(file: string, options: MakeKeysOptions = {}): Promise<MadeKeys> {
  return (await import("./worker/keys.ts")).makeKeys(file, options);
}

/**
 * Starts a worker that clients on other machines connect to with `Depthkit.connect`. All that it sends and
 * receives is encrypted, and only the clients that its key file trusts come in (docs/remote.md). It outlives
 * them, and ends with this process.
 *
 * @throws DepthkitError INVALID_ARGUMENT, FILE_NOT_FOUND, and what `Depthkit.start` throws
 */
export async function listenWorker(options: ListenOptions): Promise<ListeningWorker> {
  return (await import("./worker/listen.ts")).listenWorker(options);
}
