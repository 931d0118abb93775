import { z } from "zod";
import { corpusHandle, modelHandle } from "./common.ts";
import { count, finite, named } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

export const workerPingParams = named(
  "WorkerPingParams",
  z.strictObject({
    value: finite(),
    integer: count(),
    text: z.string(),
    tensors: z.array(tensorRef).describe("Sent back as they came."),
  }),
);
export const workerPingResult = named(
  "WorkerPingResult",
  z.object({ value: finite(), integer: count(), text: z.string(), tensors: z.array(tensorRef) }),
);

/** Keeps the compute thread busy: what tests of cancel, progress and sudden death hold on to. */
export const workerSleepParams = named("WorkerSleepParams", z.strictObject({ seconds: finite() }));
export const workerSleepResult = named("WorkerSleepResult", z.object({ seconds: finite() }));

export const workerStatusResult = named(
  "WorkerStatusResult",
  z.object({
    pid: count(),
    uptimeSeconds: finite(),
    ready: z.boolean().describe("Whether torch and transformers are imported."),
    running: z.string().nullable().describe("The method the compute thread is at."),
    queued: count(),
    models: z.array(modelHandle),
    corpora: z.array(corpusHandle),
    residentBytes: count(),
    peakResidentBytes: count(),
  }),
);
export type WorkerStatus = z.infer<typeof workerStatusResult>;
