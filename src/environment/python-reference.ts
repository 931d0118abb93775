import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { ISOLATED } from "./python-flags.ts";
import { resolveWorkerPython } from "./worker-python.ts";

const SCRIPT = `
import json, sys
from pydoc_data.topics import topics
json.dump([topics[name] for name in sorted(topics)], sys.stdout)
`;

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function pythonReference(): Promise<string[]> {
  const { python } = await resolveWorkerPython();
  try {
    const { execa } = await import("execa");
    const { stdout } = await execa(python, [...ISOLATED, "-c", SCRIPT]);
    return z.array(z.string()).parse(JSON.parse(stdout));
  } catch (error) {
    throw new DepthkitError(
      "FILE_NOT_FOUND",
      `Could not read the language reference (pydoc_data.topics) of ${python}: ` +
        `${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
}
