import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const folder = process.env["DEPTHKIT_SHARED"] ?? fileURLToPath(new URL("../../../shared", import.meta.url));

/** Reference figures and real text lie beside the project, not in it; without them these tests skip. */
export const describeWithSharedData = existsSync(folder) ? describe : describe.skip;
if (!existsSync(folder)) console.warn(`Skipping tests against reference figures: ${folder} is not there.`);

export const dataFile = (name: string) => join(folder, "data", name);
export const golden = (name: string) => JSON.parse(readFileSync(join(folder, "golden", name), "utf8"));
