import { DepthkitError } from "../errors.ts";
import { aFlag, anyOf, type Checks, callChecks, checkOptions, listOf } from "../options.ts";
import type { BundledModel } from "./bundled-model.ts";
import { ensureEnvironment, pruneEnvironments } from "./environment.ts";
import { type ExtraName, extraNames } from "./extra-names.ts";
import { ensureExtra, extraRequirements } from "./extras.ts";
import { onnxEnvironmentFolder, onnxRequirements } from "./onnx-environment.ts";
import { ownInterpreter, verifyOwnInterpreter } from "./own-interpreter.ts";
import { ensureBundledModel } from "./prepare-model.ts";
import { workerRequirements } from "./requirements.ts";
import { progressOfSteps, type SetupProgress } from "./setup-progress.ts";
import { type TorchChoice, torchChoices } from "./torch-names.ts";
import { verifyModules } from "./verify-modules.ts";

/** What `setup` takes. */
export interface SetupOptions {
  /** Aborting ends what is running, removes what is half done and rejects with CANCELLED. */
  signal?: AbortSignal | undefined;
  /** Hears of each step as it goes on. */
  onProgress?: ((progress: SetupProgress) => void) | undefined;
  /** Make environment and model anew even where they look whole. */
  force?: boolean | undefined;
  /** Also remove the environments of other versions of depthkit. */
  prune?: boolean | undefined;
  /**
   * The build of torch in the managed environment: `cpu`, `cu126`, `cu130`, or `auto`, the one that is there,
   * else what fits this machine: the CUDA build that its NVIDIA driver runs, or the CPU's. Another build than
   * the one that is there makes the environment anew.
   */
  torch?: TorchChoice | undefined;
  /**
   * Extras to install: `onnx` into an environment of its own, all others into the worker's, where an
   * interpreter of your own must have them.
   */
  with?: readonly ExtraName[] | undefined;
}

const setupChecks: Checks<SetupOptions> = {
  ...callChecks,
  force: aFlag,
  prune: aFlag,
  torch: anyOf(...torchChoices),
  with: listOf(anyOf(...extraNames)),
};

/** What is ready now. */
export interface SetupResult {
  /** The interpreter that a worker starts with. */
  python: string;
  /** False when DEPTHKIT_PYTHON names an interpreter of the user's own. */
  managed: boolean;
  /** The managed environment's folder. */
  environment: string | undefined;
  /** The bundled model. */
  model: BundledModel;
  /** The extras asked for. */
  extras: ExtraName[];
  /** The environments that `prune` removed. */
  pruned: string[];
}

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  refuseOtherBuilds(options);
  checkOptions("setup", options, setupChecks);
  const { signal, force } = options;
  const onProgress = progressOfSteps(options.onProgress);
  const extras = [...(options.with ?? [])];
  const own = ownInterpreter();
  let python: string;
  let environment: string | undefined;
  if (own) {
    if (options.torch !== undefined && options.torch !== "auto") throw ownTorch(own, options.torch);
    await verifyOwnInterpreter({
      python: own,
      requirements: workerRequirements(),
      force,
      signal,
      onProgress,
    });
    python = own;
  } else {
    ({ python, folder: environment } = await ensureEnvironment({
      force,
      torch: options.torch,
      signal,
      onProgress,
    }));
  }
  for (const extra of extras) {
    if (extra === "onnx") {
      // A graph is exported on the CPU. The environment is its own, whoever's the worker's interpreter is.
      await ensureEnvironment({ requirements: onnxRequirements(), torch: "cpu", force, signal, onProgress });
      continue;
    }
    const requirements = extraRequirements(extra);
    if (environment !== undefined) {
      await ensureExtra(extra, requirements, environment, { force, signal, onProgress });
    } else {
      const { modules, requirements: pins } = requirements;
      await verifyModules({ python, modules, pins, own: true, env: process.env, signal, onProgress });
    }
  }
  const model = await ensureBundledModel({ python, managed: !own, force, signal, onProgress });
  const pruned = options.prune
    ? await pruneEnvironments([onnxEnvironmentFolder(), ...(environment === undefined ? [] : [environment])])
    : [];
  onProgress?.({ step: "done", message: "The worker's Python environment and the bundled model are ready" });
  return { python, managed: !own, environment, model, extras, pruned };
}

/** Builds of torch that there are, and whose index cannot be named: docs/setup.md says why. */
function refuseOtherBuilds(options: { torch?: unknown } | null): void {
  const wanted = options?.torch;
  if (typeof wanted !== "string" || !/^(rocm|xpu)/.test(wanted)) return;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `setup: torch: ${JSON.stringify(wanted)} is not installed by set-up. PyTorch keeps such builds in an ` +
      "index for each version of the GPU's software, which changes with torch, and none was tested with " +
      "depthkit. Install torch and python/requirements.txt into an environment of your own, and name its " +
      `Python in DEPTHKIT_PYTHON (docs/setup.md). Set-up installs ${torchChoices.join(", ")}.`,
    { details: { paths: ["torch"] } },
  );
}

function ownTorch(python: string, torch: TorchChoice): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `setup: torch "${torch}" was asked for, and DEPTHKIT_PYTHON names an interpreter of your own ` +
      `(${python}), which set-up leaves as it is. Install that build there, or unset DEPTHKIT_PYTHON.`,
  );
}
