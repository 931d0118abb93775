import { type ChildProcess, fork, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { requiredModules } from "../environment/requirements.ts";
import { childEntry } from "../platform/child-entry.ts";
import { killTree } from "../platform/run-child.ts";
import {
  inspectorMessage,
  type PythonFacts,
  type PythonSection,
  pythonSectionNames,
  pythonSections,
} from "./doctor-report.ts";
import { inspectionScript } from "./doctor-script.ts";

export const inspectors = ["pythonia", "script"] as const;
export type Inspector = (typeof inspectors)[number];

export interface InspectOptions {
  python: string;
  env: NodeJS.ProcessEnv;
  inspector: Inspector;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Inspection {
  facts: PythonFacts;
  /** Why it stopped before the last section. */
  failure?: { section: PythonSection; error: string };
}

/** pythonia is an optional dependency: without it a script of our own asks the same questions. */
export function availableInspector(): Inspector {
  try {
    createRequire(import.meta.url).resolve("pythonia");
    return "pythonia";
  } catch {
    return "script";
  }
}

/** Has a Python describe itself, in a process that ends with this call whatever that Python does. */
export async function inspectPython(options: InspectOptions): Promise<Inspection> {
  const child = options.inspector === "pythonia" ? startPythonia(options) : startScript(options);
  const facts: PythonFacts = {};
  let current: PythonSection = "interpreter";
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  const failed = (error: string): Inspection => ({ facts, failure: { section: current, error } });

  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise<Inspection>((resolve) => {
      timer = setTimeout(
        () => resolve(failed(`no answer within ${options.timeoutMs / 1000} s`)),
        options.timeoutMs,
      );
      onAbort = () => resolve(failed("cancelled"));
      options.signal?.addEventListener("abort", onAbort, { once: true });
      child.once("error", (error) => resolve(failed(error.message)));
      child.once("close", (code, signal) =>
        resolve(failed(`Python ended with ${signal ?? `exit code ${code}`}${lastLine(stderr)}`)),
      );
      onMessages(child, (raw) => {
        const message = inspectorMessage.safeParse(raw).data;
        if (!message) return;
        if (message.kind === "end") return resolve({ facts });
        if (message.kind === "ended") return resolve(failed(message.how + lastLine(stderr)));
        const section = pythonSectionNames.find((name) => name === message.section);
        if (section === undefined) return;
        current = section;
        if (message.kind === "failed") return resolve(failed(message.error));
        if (message.kind === "section") {
          const parsed = pythonSections[section].safeParse(message.value);
          if (!parsed.success) return resolve(failed(`an answer of another form: ${parsed.error.message}`));
          Object.assign(facts, { [section]: parsed.data });
        }
      });
    });
  } finally {
    clearTimeout(timer);
    if (onAbort) options.signal?.removeEventListener("abort", onAbort);
    // Always, also after a good end: pythonia's Python does not end by itself when it is busy.
    killTree(child.pid);
  }
}

const packages = requiredModules.map((entry) => entry.package);

function startPythonia({ python, env }: InspectOptions): ChildProcess {
  const { file, execArgv } = childEntry("doctor/doctor-child");
  return fork(file, [python, ...packages], {
    execArgv,
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: process.platform !== "win32",
  });
}

function startScript({ python, env }: InspectOptions): ChildProcess {
  return spawn(python, ["-P", "-c", inspectionScript, ...packages], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: true,
  });
}

function onMessages(child: ChildProcess, listen: (message: unknown) => void): void {
  child.on("message", listen);
  if (!child.stdout) return;
  createInterface({ input: child.stdout }).on("line", (line) => {
    // Modules print at their import what they like; ours are objects.
    if (!line.startsWith('{"kind"')) return;
    try {
      listen(JSON.parse(line));
    } catch {
      // A line cut off by a crash; the exit is reported.
    }
  });
}

function lastLine(stderr: string): string {
  const line = stderr.trimEnd().split("\n").at(-1)?.trim();
  return line ? ` (${line})` : "";
}
