import { z } from "zod";
import { errorCodes } from "../errors.ts";

const bytes = z.number().nonnegative();

/** What Python tells of itself, a section at a time, so that a crash in one keeps those before it. */
export const pythonSections = {
  interpreter: z.object({
    executable: z.string(),
    version: z.string(),
    implementation: z.string(),
    prefix: z.string(),
  }),
  /** Version by package; null where it is not installed. */
  packages: z.record(z.string(), z.string().nullable()),
  /** Version by extra; null where `setup --with` has not installed it. */
  extras: z.record(z.string(), z.string().nullable()),
  devices: z.object({
    torch: z.string(),
    threads: z.int(),
    /** The CUDA version torch was built for; null for a build without. */
    cudaBuild: z.string().nullable(),
    cuda: z.array(z.object({ name: z.string(), memoryBytes: bytes, capability: z.string() })),
    mps: z.boolean(),
  }),
  attention: z.object({
    flash: z.boolean(),
    memoryEfficient: z.boolean(),
    math: z.boolean(),
    /** Version of the package flash-attn; null where it is not installed. */
    flashAttn: z.string().nullable(),
  }),
} as const;

export type PythonSection = keyof typeof pythonSections;
export const pythonSectionNames = Object.keys(pythonSections) as PythonSection[];
export type PythonFacts = { [S in PythonSection]?: z.infer<(typeof pythonSections)[S]> };

export const leftover = z.object({
  folder: z.string(),
  bytes,
  /** `unknown`: another machine's, or one without a lock: nobody here knows whether its process lives. */
  owner: z.enum(["in use", "abandoned", "unknown"]),
  /** Whether `clean` did away with it. */
  removed: z.boolean(),
});
export type Leftover = z.infer<typeof leftover>;

const problem = z.object({
  severity: z
    .enum(["error", "warning"])
    .describe("error: a worker would not start, or not work; warning: it would."),
  code: z.enum(errorCodes).describe("As an error of this kind has it: docs/errors.md."),
  message: z.string(),
  remedy: z.string().describe("What to do."),
});
export type Problem = z.infer<typeof problem>;

const environmentStates = z.enum(["ready", "damaged", "unfinished", "missing"]);

export const doctorReport = z.object({
  node: z
    .object({
      version: z.string(),
      platform: z.string(),
      depthkit: z.string(),
      /** Version by package; null where it is not installed. */
      packages: z.record(z.string(), z.string().nullable()),
    })
    .describe("This program: Node, depthkit and its native packages."),
  machine: z
    .object({ cpu: z.string(), cores: z.int(), memoryBytes: bytes, freeMemoryBytes: bytes })
    .describe("The machine: its processor and its memory."),
  python: z
    .object({
      /** The interpreter a worker would start with; null when there is none. */
      command: z.string().nullable(),
      managed: z.boolean(),
      interpreter: pythonSections.interpreter.nullable(),
      packages: pythonSections.packages.nullable(),
      extras: pythonSections.extras.nullable(),
      devices: pythonSections.devices.nullable(),
      attention: pythonSections.attention.nullable(),
    })
    .describe("The interpreter a worker would start with, and what it says of itself."),
  cache: z
    .object({
      folder: z.string(),
      freeBytes: bytes,
      environments: z.array(
        z.object({
          name: z.string(),
          bytes,
          state: environmentStates,
          inUse: z.boolean(),
        }),
      ),
      models: z.array(z.object({ name: z.string(), bytes, whole: z.boolean() })),
    })
    .describe("The cache folder, and the environments and models in it."),
  onnx: z
    .object({
      state: environmentStates,
      /** Version by package; null where it is not there. */
      packages: z.record(z.string(), z.string()).nullable(),
    })
    .describe("The environment that exports to ONNX run in: setup --with onnx."),
  leftovers: z
    .array(leftover)
    .nullable()
    .describe("Folders that a killed process, or one at work, was filling; null where no Python could look."),
  problems: z.array(problem).describe("All that is wrong."),
  healthy: z.boolean().describe("Whether no problem is an error."),
});
/** What a worker would use, and what is wrong with it. */
export type DoctorReport = z.infer<typeof doctorReport>;
