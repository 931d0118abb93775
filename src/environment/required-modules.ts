/** A module the worker imports, and the package on the registry that brings it. */
export interface RequiredModule {
  module: string;
  package: string;
}

/** In the order in which a failing one is best explained: the light ones first. */
export const requiredModules: readonly RequiredModule[] = [
  { module: "msgspec", package: "msgspec" },
  { module: "zmq", package: "pyzmq" },
  { module: "numpy", package: "numpy" },
  { module: "safetensors", package: "safetensors" },
  { module: "tokenizers", package: "tokenizers" },
  { module: "torch", package: "torch" },
  { module: "transformers", package: "transformers" },
  { module: "accelerate", package: "accelerate" },
  { module: "gguf", package: "gguf" },
];
