import { z } from "zod";
import { requiredModules } from "../environment/requirements.ts";
import { DepthkitError } from "../errors.ts";
import type { Python } from "../python/python.ts";
import { startPython } from "../python/start-python.ts";
import { type PythonFacts, type PythonSection, pythonSectionNames, pythonSections } from "./doctor-report.ts";

export interface InspectOptions {
  python: string;
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Inspection {
  facts: PythonFacts;
  /** Why it stopped before the last section. */
  failure?: { section: PythonSection; error: string };
}

/** Has a Python describe itself, in a process that ends with this call whatever that Python does. */
export async function inspectPython({ python, env, timeoutMs, signal }: InspectOptions): Promise<Inspection> {
  const limit = AbortSignal.timeout(timeoutMs);
  const ends = AbortSignal.any(signal ? [limit, signal] : [limit]);
  const facts: PythonFacts = {};
  let section: PythonSection = "interpreter";
  try {
    await using py = await startPython({ python, env, show: false, signal: ends });
    for (section of pythonSectionNames) {
      const parsed = pythonSections[section].safeParse(await questions[section](py));
      if (!parsed.success) throw new Error(`an answer of another form: ${parsed.error.message}`);
      Object.assign(facts, { [section]: parsed.data });
    }
    return { facts };
  } catch (error) {
    const said = limit.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
    return { facts, failure: { section, error: said } };
  }
}

const questions: Record<PythonSection, (py: Python) => Promise<unknown>> = {
  async interpreter(py) {
    const [sys, platform] = [await py("sys"), await py("platform")];
    return py.value(
      py`dict(
        executable=${sys}.executable, version=${platform}.python_version(),
        implementation=${platform}.python_implementation(), prefix=${sys}.prefix,
      )`,
    );
  },
  async packages(py) {
    const found: Record<string, string | null> = {};
    for (const { package: name } of requiredModules) found[name] = await version(py, name);
    return found;
  },
  async devices(py) {
    const torch = await py("torch");
    return py.value(
      py`dict(
        torch=str(${torch}.__version__), threads=${torch}.get_num_threads(), cudaBuild=${torch}.version.cuda,
        mps=bool(${torch}.backends.mps.is_available()),
        cuda=[
          dict(name=str(gpu.name), memoryBytes=int(gpu.total_memory), capability=f"{gpu.major}.{gpu.minor}")
          for gpu in map(${torch}.cuda.get_device_properties, range(${torch}.cuda.device_count()))
        ],
      )`,
    );
  },
  async attention(py) {
    const cuda = await py("torch.backends.cuda");
    return py.value(
      py`dict(
        flash=${cuda}.flash_sdp_enabled(), memoryEfficient=${cuda}.mem_efficient_sdp_enabled(),
        math=${cuda}.math_sdp_enabled(), flashAttn=${await version(py, "flash-attn")},
      )`,
    );
  },
};

async function version(py: Python, name: string): Promise<string | null> {
  const metadata = await py("importlib.metadata");
  const installed = await py.value(
    py`next((found.version for found in ${metadata}.distributions(name=${name})), None)`,
  );
  return typeof installed === "string" ? installed : null;
}

const exception = z.object({ type: z.string(), message: z.string() });

/** An exception as its type and message, an end as how it came. */
function reasonOf(error: unknown): string {
  if (!(error instanceof DepthkitError)) return error instanceof Error ? error.message : String(error);
  const { how, python } = error.details;
  if (typeof how === "string") return how;
  const raised = exception.safeParse(python).data;
  return raised ? `${raised.type}: ${raised.message}` : error.message;
}
