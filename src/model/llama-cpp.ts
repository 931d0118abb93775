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
import { withTimeLimit } from "../rpc/time-limit.ts";
import { LEAST_ALLOWED } from "./least-allowed.ts";

/** The release that tests run, an optional peer dependency in package.json. */
const VERSION = "3.22.1";

/** What `bin/llama-cpp-check.mjs` says, as one line. */
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
  kvBytesPerToken: z.int().nonnegative(),
});
const refused = z.object({ refused: z.string() });

/**
 * What a GGUF file answers in llama.cpp, in a process of its own: llama.cpp ends the one it runs in where a
 * file is not as it expects.
 *
 * @throws DepthkitError MODULE_MISSING, MODEL_INVALID, TIMEOUT, CANCELLED
 */
export function checkGguf(file: string, options: CallOptions): Promise<RuntimeCheck> {
  const what = `Checking ${file} in llama.cpp`;
  return withTimeLimit(what, options, (signal) => check(what, file, { ...options, signal }));
}

async function check(what: string, file: string, options: CallOptions): Promise<RuntimeCheck> {
  const started = performance.now();
  options.onProgress?.({ phase: "checking", done: 0, total: null, unit: "", seconds: 0 });
  let found: z.infer<typeof measured> | undefined;
  let reason: string | undefined;
  const result = await runChild(
    process.execPath,
    [join(packageRoot(), "bin", "llama-cpp-check.mjs"), llamaCpp(), file],
    {
      signal: options.signal,
      onLine: (line, stream) => {
        if (stream !== "stdout") return;
        found = parseJson(line, measured) ?? found;
        reason = parseJson(line, refused)?.refused ?? reason;
      },
    },
  );
  throwIfCancelled(options.signal, what);
  if (found === undefined) {
    const said = lastLines(result.lines).map((line) => `  ${line}`);
    throw new DepthkitError(
      "MODEL_INVALID",
      `${what} failed: ${reason ?? `${exitText(result)}.\nIts last lines:\n${said.join("\n")}`}`,
      { details: { file } },
    );
  }
  return { ...compare(found), seconds: (performance.now() - started) / 1000 };
}

function compare({ version, reference, prompts, texts, kvBytesPerToken }: z.infer<typeof measured>) {
  const pairs = reference.prompts.map((right, index) => {
    const mine = prompts[index];
    if (mine === undefined) throw new DepthkitError("INTERNAL", "llama.cpp was not asked every prompt.");
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
  const tie = 2 * Math.max(LEAST_ALLOWED, largestDifference);
  const total = sum(pairs.map(({ right }) => right.written.length));
  const split = [
    ...pairs.filter(({ right }) => right.text !== null).map(({ right, mine }) => [right.ids, mine.ids]),
    ...reference.texts.map(({ ids }, index) => [ids, texts[index]]),
  ];
  return {
    runtime: `llama.cpp (node-llama-cpp ${version})`,
    largestDifference,
    agreement: places.filter(({ same }) => same).length / places.length,
    written: sum(pairs.map(({ right, mine }) => inCommon(mine.written, right.written))) / total,
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

/** Where the module is: in the caller's project, or beside depthkit. */
function llamaCpp(): string {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve("node-llama-cpp")).href;
    } catch {
      // Not there; the next place.
    }
  }
  throw new DepthkitError(
    "MODULE_MISSING",
    "Checking a GGUF file needs llama.cpp, which comes with the npm package node-llama-cpp and is not " +
      `installed. In your project: npm install node-llama-cpp@${VERSION}`,
    { details: { module: "node-llama-cpp" } },
  );
}
