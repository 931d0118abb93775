/** With what a worker works. */
import { z } from "zod";
import { count, list, named } from "./schema.ts";

const packageVersion = named(
  "PackageVersion",
  z.object({
    name: z.string().describe("The package, as Python's index calls it."),
    version: z.string().describe("What is installed."),
  }),
);

const accelerator = named(
  "Accelerator",
  z.object({
    name: z.string().describe("As the driver has it."),
    memoryBytes: count().describe("Its memory."),
    capability: z.string().describe("Of CUDA, such as 9.0."),
  }),
);

export const environmentReadResult = named(
  "EnvironmentReadResult",
  z.object({
    python: z.string().describe("The version of Python."),
    packages: list(packageVersion).describe("What figures may depend on, as it is installed."),
    system: z.string().describe("The operating system."),
    processor: z.string().describe("The kind of processor, such as x86_64."),
    threads: count(1).describe("Threads of a computation on the CPU."),
    cuda: z.string().nullable().describe("The CUDA version torch was built for; null for a build without."),
    accelerators: list(accelerator).describe("CUDA devices."),
  }),
);
/** Versions, machine and accelerators of a worker. */
export type WorkerEnvironment = z.infer<typeof environmentReadResult>;
