import { z } from "zod";
import { extraRequirements, workerExtras } from "../environment/extras.ts";
import { requiredModules } from "../environment/requirements.ts";
import { DepthkitError } from "../errors.ts";
import type { Python } from "../python/python.ts";
import { startPython } from "../python/start-python.ts";
import {
  type Leftover,
  leftover,
  type PythonFacts,
  type PythonSection,
  pythonSectionNames,
  pythonSections,
} from "./doctor-report.ts";

export interface InspectOptions {
  python: string;
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Where to look for what killed processes left. */
  folders: readonly string[];
  /** Remove it. */
  clean: boolean;
}

export interface Inspection {
  facts: PythonFacts;
  leftovers?: Leftover[];
  /** Why it stopped before the last section. */
  failure?: { section: PythonSection; error: string };
}

/** Has a Python describe itself, in a process that ends with this call whatever that Python does. */
export async function inspectPython(options: InspectOptions): Promise<Inspection> {
  const { python, env, timeoutMs, signal } = options;
  const limit = AbortSignal.timeout(timeoutMs);
  const ends = AbortSignal.any(signal ? [limit, signal] : [limit]);
  const facts: PythonFacts = {};
  const found: Pick<Inspection, "leftovers"> = {};
  let section: PythonSection = "interpreter";
  try {
    await using py = await startPython({ python, env, show: false, signal: ends });
    // First: it needs nothing but Python itself.
    found.leftovers = await leftoversIn(py, options);
    for (section of pythonSectionNames) {
      const parsed = pythonSections[section].safeParse(await questions[section](py));
      if (!parsed.success) throw new Error(`an answer of another form: ${parsed.error.message}`);
      Object.assign(facts, { [section]: parsed.data });
    }
    return { facts, ...found };
  } catch (error) {
    const said = limit.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
    return { facts, ...found, failure: { section, error: said } };
  }
}

async function leftoversIn(py: Python, { folders, clean }: InspectOptions): Promise<Leftover[]> {
  const module = await py("depthkit_worker.models.partial_folders");
  const told = await py.value(py`${module}.report(list(${folders}), ${clean})`);
  return z.array(leftover).parse(told);
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
  async extras(py) {
    const found: Record<string, string | null> = {};
    for (const extra of workerExtras) {
      const [main] = extraRequirements(extra).modules;
      found[extra] = main === undefined ? null : await version(py, main.package);
    }
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
