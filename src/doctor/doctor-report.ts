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
  severity: z.enum(["error", "warning"]),
  code: z.enum(errorCodes),
  message: z.string(),
  remedy: z.string(),
});
export type Problem = z.infer<typeof problem>;

export const doctorReport = z.object({
  node: z.object({
    version: z.string(),
    platform: z.string(),
    depthkit: z.string(),
    /** Version by package; null where it is not installed. */
    packages: z.record(z.string(), z.string().nullable()),
  }),
  machine: z.object({ cpu: z.string(), cores: z.int(), memoryBytes: bytes, freeMemoryBytes: bytes }),
  python: z.object({
    /** The interpreter a worker would start with; null when there is none. */
    command: z.string().nullable(),
    managed: z.boolean(),
    interpreter: pythonSections.interpreter.nullable(),
    packages: pythonSections.packages.nullable(),
    devices: pythonSections.devices.nullable(),
    attention: pythonSections.attention.nullable(),
  }),
  cache: z.object({
    folder: z.string(),
    freeBytes: bytes,
    environments: z.array(
      z.object({
        name: z.string(),
        bytes,
        state: z.enum(["ready", "damaged", "unfinished", "missing"]),
        inUse: z.boolean(),
      }),
    ),
    models: z.array(z.object({ name: z.string(), bytes, whole: z.boolean() })),
  }),
  /** Folders that a killed process, or one at work, was filling; null where no Python could look. */
  leftovers: z.array(leftover).nullable(),
  problems: z.array(problem),
  healthy: z.boolean(),
});
export type DoctorReport = z.infer<typeof doctorReport>;
