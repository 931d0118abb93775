import { z } from "zod";
import { count, extending, finite, list, named, path } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

export const workerPingParams = named(
  "WorkerPingParams",
  z.strictObject({
    value: finite(),
    integer: count(),
    text: z.string(),
    tensors: list(tensorRef).describe("Sent back as they came."),
  }),
);
export const workerPingResult = named(
  "WorkerPingResult",
  z.object({ value: finite(), integer: count(), text: z.string(), tensors: list(tensorRef) }),
);

/** Keeps the compute thread busy: what tests of cancel, progress and sudden death hold on to. */
export const workerSleepParams = named("WorkerSleepParams", z.strictObject({ seconds: finite() }));
export const workerSleepResult = named("WorkerSleepResult", z.object({ seconds: finite() }));

const targetKinds = ["export", "gguf", "repair", "files"] as const;
/** Kinds of what is written: an exported model, a GGUF file, a saved repair, or files added to a folder. */
export const targetOptions = named(
  "TargetOptions",
  z.strictObject({
    kind: named("TargetKind", z.enum(targetKinds)),
    overwrite: z.boolean().default(false).describe("What depthkit wrote itself may be replaced."),
  }),
);
export const workerCheckTargetParams = extending("WorkerCheckTargetParams", targetOptions, {
  target: path(),
});

export const workerStatusResult = named(
  "WorkerStatusResult",
  z.object({
    pid: count().describe("The worker's process."),
    uptimeSeconds: finite().describe("Seconds since it started."),
    ready: z.boolean().describe("Whether torch and transformers are imported."),
    running: z.string().nullable().describe("The method the compute thread is at."),
    reading: z.string().nullable().describe("The method that runs beside it: reading and tokenising."),
    queued: count().describe("Calls that wait for one of these two."),
    away: count().describe("Calls whose work one actor of a cluster does by itself."),
    models: count().describe("Held, as the next three are."),
    corpora: count().describe("Corpora held."),
    tasks: count().describe("Of both kinds."),
    repairs: count().describe("Repairs held."),
    residentBytes: count().describe("Memory of the process now."),
    peakResidentBytes: count().describe("The most it ever took."),
  }),
);
/** What a worker is at: its calls, models and memory. */
export type WorkerStatus = z.infer<typeof workerStatusResult>;
