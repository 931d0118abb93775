import { pinOf, requiredModules } from "../environment/requirements.ts";
import { DepthkitError } from "../errors.ts";
import { cacheRemedies } from "../platform/cache-folder.ts";
import { formatBytes } from "../platform/format.ts";
import type { DoctorReport, Leftover, Problem } from "./doctor-report.ts";
import type { Inspection } from "./inspect-python.ts";

const LITTLE_SPACE_BYTES = 1e9;
const SETUP = "npx depthkit setup";

/** A failure met while looking, as a problem. Its message holds the remedy of its code already. */
export function problemOf(error: unknown): Problem {
  if (error instanceof DepthkitError) {
    const [message, remedy] = splitRemedy(error.message);
    return { severity: "error", code: error.code, message, remedy };
  }
  return { severity: "error", code: "INTERNAL", message: String(error), remedy: `Run: ${SETUP} --force` };
}

export function inspectionProblems(
  python: string,
  managed: boolean,
  { facts, failure }: Inspection,
): Problem[] {
  const problems: Problem[] = [];
  const remedyFor = (names: readonly string[]) =>
    managed
      ? `Run: ${SETUP} --force`
      : `Run: "${python}" -m pip install ${names.map((name) => `"${pinOf(name)}"`).join(" ")}`;
  const absent = requiredModules
    .map((entry) => entry.package)
    .filter((name) => facts.packages && facts.packages[name] === null);
  if (absent.length > 0) {
    problems.push({
      severity: "error",
      code: "MODULE_MISSING",
      message: `${python} lacks ${absent.join(", ")}, which the worker needs.`,
      remedy: remedyFor(absent),
    });
  }
  for (const [name, version] of Object.entries(facts.packages ?? {})) {
    const pin = pinOf(name).split("==")[1];
    // A local label (+cpu, +cu130) names another build of the same version.
    if (version === null || pin === undefined || version.split("+")[0] === pin) continue;
    problems.push({
      severity: managed ? "error" : "warning",
      code: "MODULE_MISSING",
      message: `${name} is at ${version}; depthkit is tested with ${pin}.`,
      remedy: remedyFor([name]),
    });
  }
  const toldAlready = absent.includes("torch") && failure?.error.includes("No module named 'torch'");
  if (failure && !toldAlready) {
    const importing = failure.section === "devices" || failure.section === "attention";
    const step = importing ? "importing torch and listing its devices" : `reading its ${failure.section}`;
    problems.push({
      severity: "error",
      code: importing ? "MODULE_MISSING" : "WORKER_START_FAILED",
      message: `Inspecting ${python}: ${step} failed: ${failure.error}`,
      remedy: importing ? remedyFor(["torch"]) : `Run: ${SETUP} --force`,
    });
  }
  return problems;
}

export function cacheProblems(cache: DoctorReport["cache"], modelReady: boolean, model: string): Problem[] {
  const problems: Problem[] = [];
  if (!modelReady) {
    problems.push({
      severity: "error",
      code: "MODEL_NOT_FOUND",
      message: `The bundled model is not prepared (${model}).`,
      remedy: `Run: ${SETUP}`,
    });
  }
  const leftovers = cache.environments.filter((entry) => !entry.inUse && entry.state !== "ready");
  if (leftovers.length > 0) {
    const names = leftovers.map((entry) => entry.name).join(", ");
    problems.push({
      severity: "warning",
      code: "SETUP_FAILED",
      message: `Unfinished or damaged environments take up room: ${names}.`,
      remedy: `Run: ${SETUP} --prune`,
    });
  }
  if (cache.freeBytes < LITTLE_SPACE_BYTES) {
    problems.push({
      severity: "warning",
      code: "DISK_FULL",
      message: `Only ${formatBytes(cache.freeBytes)} are free in ${cache.folder}.`,
      remedy: cacheRemedies.full,
    });
  }
  return problems;
}

export function leftoverProblems(leftovers: readonly Leftover[] = []): Problem[] {
  return leftovers.flatMap(({ folder, bytes, owner, removed }): Problem[] => {
    if (owner === "in use" || removed) return [];
    const taken = `${folder} takes up ${formatBytes(bytes)}`;
    const [message, remedy] =
      owner === "abandoned"
        ? [`${taken}: it was left by a process that was killed.`, "Run the same with --clean."]
        : [
            `${taken}, and may be at work: it is another machine's, or its file system has no locks.`,
            "Remove it by hand when no depthkit is writing there.",
          ];
    return [{ severity: "warning", code: "DISK_FULL", message, remedy }];
  });
}

function splitRemedy(message: string): [string, string] {
  const at = message.search(/(Run|Set DEPTHKIT_|Install|Make|Free|Add) ?/);
  return at > 0 ? [message.slice(0, at).trimEnd(), message.slice(at)] : [message, `Run: ${SETUP}`];
}
