/**
 * Inspects a Python through pythonia, in a process of its own: a crash or hang of that Python then ends
 * this process and nothing else. Started by `inspect-python.ts`, to which it reports by IPC.
 */
import type { ChildProcess } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import type { InspectorMessage, PythonSection } from "./doctor-report.ts";

/** The part of pythonia that is used. Python values stay opaque here: `py` makes JSON text of them. */
interface Pythonia {
  python: ((module: string) => Promise<unknown>) & { exit(): void };
  py(tokens: TemplateStringsArray, ...values: unknown[]): Promise<unknown>;
  com: { proc: ChildProcess | null };
}

const [python = "", ...packages] = process.argv.slice(2);
let current: PythonSection | undefined;

function say(message: InspectorMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send) process.send(message, () => resolve());
    else resolve();
  });
}

/** Tells that Python has gone, and goes too: pythonia would wait for its answer. */
async function endWith(how: string): Promise<never> {
  await say({ kind: "ended", how });
  process.exit(1);
}

function lastWords(error: unknown): string {
  const text = error instanceof Error ? error.message || error.stack || error.name : String(error);
  // pythonia's errors have an empty message and the Python traceback, coloured, in their stack.
  const lines = stripVTControlCharacters(text)
    .split("\n")
    .map((line) => line.trim());
  const python = lines.filter((line) => /^[A-Za-z_.]*(Error|Exception|Interrupt|Exit)\b/.test(line));
  return (
    python.at(-1) ??
    lines
      .filter((line) => line !== "")
      .slice(-3)
      .join(" ")
  );
}

async function inspect({ python: load, py }: Pythonia): Promise<void> {
  const json = await load("json");
  const asJson = async (value: Promise<unknown>) =>
    JSON.parse(String(await py`str(${json}.dumps(${value}))`));
  const metadata = await load("importlib.metadata");
  const version = async (name: string) => {
    try {
      return String(await py`str(${metadata}.version(${name}))`);
    } catch {
      return null;
    }
  };

  const sections: Record<PythonSection, () => Promise<unknown>> = {
    async interpreter() {
      const [sys, platform] = [await load("sys"), await load("platform")];
      return asJson(
        py`{"executable": ${sys}.executable, "version": ${platform}.python_version(), "implementation": ${platform}.python_implementation(), "prefix": ${sys}.prefix}`,
      );
    },
    async packages() {
      const found: Record<string, string | null> = {};
      for (const name of packages) found[name] = await version(name);
      return found;
    },
    async devices() {
      const torch = await load("torch");
      const about = (await asJson(
        py`{"torch": str(${torch}.__version__), "threads": ${torch}.get_num_threads(), "cudaBuild": ${torch}.version.cuda, "mps": bool(${torch}.backends.mps.is_available()), "count": ${torch}.cuda.device_count()}`,
      )) as { count: number };
      const cuda: unknown[] = [];
      for (let index = 0; index < about.count; index++) {
        const device = await py`${torch}.cuda.get_device_properties(${index})`;
        cuda.push(
          await asJson(
            py`{"name": str(${device}.name), "memoryBytes": int(${device}.total_memory), "capability": f"{${device}.major}.{${device}.minor}"}`,
          ),
        );
      }
      return { ...about, cuda };
    },
    async attention() {
      const cuda = await load("torch.backends.cuda");
      const kernels = (await asJson(
        py`{"flash": ${cuda}.flash_sdp_enabled(), "memoryEfficient": ${cuda}.mem_efficient_sdp_enabled(), "math": ${cuda}.math_sdp_enabled()}`,
      )) as Record<string, unknown>;
      return { ...kernels, flashAttn: await version("flash-attn") };
    },
  };

  for (const section of Object.keys(sections) as PythonSection[]) {
    current = section;
    await say({ kind: "begin", section });
    try {
      await say({ kind: "section", section, value: await sections[section]() });
    } catch (error) {
      await say({ kind: "failed", section, error: lastWords(error) });
      return;
    }
  }
}

process.env["PYTHON_BIN"] = python;
// The parent's limit is the one that counts; pythonia's own must not come first.
process.env["REQ_TIMEOUT"] = "600000";
process.on("uncaughtException", (error) => void endWith(lastWords(error)));
process.on("unhandledRejection", (error) => void endWith(lastWords(error)));

const { default: pythonia } = (await import("pythonia")) as unknown as { default: Pythonia };
pythonia.com.proc?.on("error", (error) => void endWith(lastWords(error)));
pythonia.com.proc?.on("exit", (code, signal) => {
  const where = current === undefined ? "at its start" : `during the section ${current}`;
  void endWith(`Python ended with ${signal ?? `exit code ${code}`} ${where}`);
});
try {
  await inspect(pythonia);
} finally {
  pythonia.com.proc?.removeAllListeners("exit");
  pythonia.python.exit();
}
await say({ kind: "end" });
process.exit(0);
