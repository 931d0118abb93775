import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** What the converter writes last, beside the model's files. Other fields are its own. */
const manifest = z.object({ files: z.record(z.string(), z.object({ bytes: z.int().nonnegative() })) });

export function manifestFile(folder: string): string {
  return join(folder, "depthkit-model.json");
}

/** Whether a prepared model's files are all there with the sizes its manifest lists. */
export function isModelWhole(folder: string): boolean {
  try {
    const { files } = manifest.parse(JSON.parse(readFileSync(manifestFile(folder), "utf8")));
    const listed = Object.entries(files);
    return listed.length > 0 && listed.every(([name, { bytes }]) => sizeOf(join(folder, name)) === bytes);
  } catch {
    return false;
  }
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}
