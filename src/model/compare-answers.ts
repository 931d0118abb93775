/** What software outside the worker answers to the questions of an export, beside what it should. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { parseJson } from "../platform/json.ts";
import { packageRoot } from "../platform/package-root.ts";
import { exitText, lastLines, runChild } from "../platform/run-child.ts";
import { exportReference, type RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";

/** What the script of a runtime says, as one line. */
const measured = z.object({
  version: z.string(),
  reference: exportReference,
  prompts: z.array(
    z.object({
      ids: z.array(z.int()),
      likeliest: z.array(z.int()),
      logProbabilities: z.array(z.number()),
      written: z.array(z.int()),
      margins: z.array(z.number().nonnegative()),
    }),
  ),
  texts: z.array(z.array(z.int())),
  kvBytesPerToken: z.int().nonnegative().nullable(),
});
export type Measured = z.infer<typeof measured>;
const refused = z.object({ refused: z.string() });

interface Asking extends CallOptions {
  /** "Checking x.gguf in llama.cpp". */
  what: string;
  /** In `bin`, with its arguments. */
  script: readonly [name: string, ...args: string[]];
  /** What is checked. */
  path: string;
}

/**
 * Runs a script that asks the questions of an export, in a process of its own.
 *
 * @throws DepthkitError MODEL_INVALID, CANCELLED
 */
export async function askRuntime({ what, script, path, signal, onProgress }: Asking): Promise<Measured> {
  onProgress?.({ phase: "checking", done: 0, total: null, unit: "", seconds: 0 });
  const [name, ...args] = script;
  let found: Measured | undefined;
  let reason: string | undefined;
  const result = await runChild(process.execPath, [join(packageRoot(), "bin", name), ...args], {
    signal,
    onLine: (line, stream) => {
      if (stream !== "stdout") return;
      found = parseJson(line, measured) ?? found;
      reason = parseJson(line, refused)?.refused ?? reason;
    },
  });
  throwIfCancelled(signal, what);
  if (found !== undefined) return found;
  const said = lastLines(result.lines).map((line) => `  ${line}`);
  throw new DepthkitError(
    "MODEL_INVALID",
    `${what} failed: ${reason ?? `${exitText(result)}.\nIts last lines:\n${said.join("\n")}`}`,
    { details: { file: path } },
  );
}

/** `noiseOf`: what a log-probability may be off by where other kernels add in another order. */
export function compareAnswers(
  { reference, prompts, texts, kvBytesPerToken }: Measured,
  noiseOf: (largestDifference: number) => number,
): Omit<RuntimeCheck, "runtime" | "seconds"> {
  const pairs = reference.prompts.map((right, index) => {
    const mine = prompts[index];
    if (mine === undefined) throw new DepthkitError("INTERNAL", "A runtime was not asked every prompt.");
    return { right, mine };
  });
  const places = pairs.flatMap(({ right, mine }) =>
    right.likeliest.map((token, at) => ({
      same: mine.likeliest[at] === token,
      difference: Math.abs(
        (mine.logProbabilities[at] ?? Number.NaN) - (right.logProbabilities[at] ?? Number.NaN),
      ),
    })),
  );
  const largestDifference = Math.max(...places.map(({ difference }) => difference));
  // Kernels for one token and for many round otherwise, so that near ties may fall otherwise: a margin is
  // between two numbers, and each may be that far off.
  const tie = 2 * noiseOf(largestDifference);
  const total = sum(pairs.map(({ right }) => right.written.length));
  const split = [
    ...pairs.filter(({ right }) => right.text !== null).map(({ right, mine }) => [right.ids, mine.ids]),
    ...reference.texts.map(({ ids }, index) => [ids, texts[index]]),
  ];
  return {
    largestDifference,
    agreement: places.filter(({ same }) => same).length / places.length,
    written: sum(pairs.map(({ right, mine }) => inCommon(mine.written, right.written))) / total,
    leftPadded: null,
    cached: sum(pairs.map(({ mine }) => mine.margins.filter((margin) => margin <= tie).length)) / total,
    sameTokens: split.length === 0 ? null : split.every(([right, mine]) => String(mine) === String(right)),
    kvBytesPerToken,
  };
}

/** How many tokens both begin with. */
function inCommon(one: readonly number[], other: readonly number[]): number {
  const first = one.findIndex((token, at) => token !== other[at]);
  return first === -1 ? one.length : first;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/**
 * Where an optional npm package is: in the caller's project, or beside depthkit.
 *
 * @throws DepthkitError MODULE_MISSING
 */
export function optionalPackage(name: string, version: string, why: string): string {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve(name)).href;
    } catch {
      // Not there; the next place.
    }
  }
  throw new DepthkitError(
    "MODULE_MISSING",
    `${why}, which comes with the npm package ${name} and is not installed. In your project: npm install ` +
      `${name}@${version}`,
    { details: { module: name } },
  );
}
