/** The environment that exports to ONNX run in: beside the worker's, as it needs an older transformers. */
import { join } from "node:path";
import { environmentsFolder } from "../platform/cache-folder.ts";
import { pythonPath } from "../platform/package-root.ts";
import { namedEnvironment } from "./environment-folder.ts";
import { type Requirements, requirementsHash } from "./requirements.ts";

export function onnxRequirements(): Requirements {
  return {
    name: "onnx",
    requirements: pythonPath("requirements-onnx.txt"),
    constraints: pythonPath("constraints-onnx.txt"),
    modules: [
      { module: "msgspec", package: "msgspec" },
      { module: "numpy", package: "numpy" },
      { module: "onnxruntime", package: "onnxruntime" },
      { module: "onnx_ir", package: "onnx-ir" },
      { module: "onnx", package: "onnx" },
      { module: "torch", package: "torch" },
      { module: "transformers", package: "transformers" },
      { module: "accelerate", package: "accelerate" },
      { module: "optimum.exporters.onnx", package: "optimum-onnx" },
    ],
    // Measured: 1.2 GB on disk with torch's build for the CPU, and the downloads.
    neededBytes: 3e9,
  };
}

/** Where it is, or would be; the worker looks there when it is asked for an export. */
export function onnxEnvironmentFolder(): string {
  return join(environmentsFolder(), namedEnvironment("onnx", requirementsHash(onnxRequirements())));
}
