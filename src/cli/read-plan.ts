import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { DepthkitError, type Plan } from "../index.ts";

/** What a file says; whether it is a plan, `runPlan` and `planStudy` look at before they do anything. */
export async function readPlan(file: string): Promise<Plan> {
  const refuse = (why: string, cause?: unknown) =>
    new DepthkitError("INVALID_ARGUMENT", `Reading the plan ${file}: ${why}`, { cause });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw refuse(`${(error as Error).message}. Check the path.`, error);
  }
  try {
    switch (extname(file)) {
      case ".json":
        return JSON.parse(text) as Plan;
      case ".yaml":
      case ".yml":
        return (await import("yaml")).parse(text) as Plan;
    }
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
  throw refuse("a plan is a .json, .yaml or .yml file.");
}
