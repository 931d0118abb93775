import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import type { Progress } from "../../src/progress.ts";
import type { MethodName } from "../../src/protocol/methods.ts";

/**
 * Every Python imports this file by itself. Where the plan says, a worker tells that it is about to die,
 * behind all that its call has sent by then, and does nothing more.
 */
const DYING = `
import json, os, pathlib, time
from depthkit_worker.session.call import Call

reported = Call.report
plan = pathlib.Path(os.environ["DYING_PLAN"])
counts = {}

def watched(what):
    original = getattr(Call, what)
    def wrapped(self, *arguments):
        result = original(self, *arguments)
        deaths = json.loads(plan.read_text())
        key = [self.method, what]
        if deaths and deaths[0][:2] == key:
            counts[what] = counts.get(what, 0) + 1
            if counts[what] == deaths[0][2]:
                rest = plan.with_suffix(".rest")
                rest.write_text(json.dumps(deaths[1:]))
                rest.replace(plan)  # another worker may be reading it
                reported(self, f"about to die: {os.getpid()}", 0, 1)
                time.sleep(86400)
        return result
    setattr(Call, what, wrapped)

for what in ("report", "part"):
    watched(what)
`;

/** The so many-th time that a call of this method reports, or sends a part. */
export type Death = readonly [method: MethodName, at: "report" | "part", count: number];

/** Kills the worker that says so: every call hears of it that has this as its `onProgress`. */
export function killTheDying({ phase }: Pick<Progress, "phase">): void {
  const pid = /about to die: ([0-9]+)$/.exec(phase)?.[1];
  if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
}

/** Makes the workers that are started from now on come to an end by plan, one after the other. */
export async function dyingWorkers(folder: string) {
  const modules = join(folder, "dying");
  mkdirSync(modules, { recursive: true });
  writeFileSync(join(modules, "sitecustomize.py"), DYING);
  const plan = join(folder, "plan.json");
  const dieAt = (...deaths: Death[]) => {
    writeFileSync(`${plan}.next`, JSON.stringify(deaths));
    renameSync(`${plan}.next`, plan); // a worker may be reading it
  };
  const left = () => (JSON.parse(readFileSync(plan, "utf8")) as Death[]).length;
  dieAt();
  vi.stubEnv("DEPTHKIT_PYTHON", (await resolveWorkerPython()).python);
  vi.stubEnv("PYTHONPATH", modules);
  vi.stubEnv("DYING_PLAN", plan);
  return { dieAt, left };
}
