import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { type Subject, subjectParams } from "../../evaluation/subject.ts";
import { aText, checkArgument } from "../../options.ts";
import { absolutePath } from "../../platform/absolute-path.ts";
import { asFileError } from "../../platform/file-error.ts";
import { parseJson, writeJson } from "../../platform/json.ts";
import { unitName } from "../../protocol/common.ts";
import { promptOptions } from "../../protocol/routing.ts";
import { count, digest, finite, notNegative, positive } from "../../protocol/schema.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { RoutedSubnetwork, RoutesContent } from "./content.ts";

const FILE = "routes.json";

const numbers = z.array(finite());
const strength = positive().nullable();
const way = z.strictObject({
  value: finite(),
  standardError: notNegative(),
  gain: finite(),
  gainStandardError: notNegative(),
  gains: z.boolean(),
});
const meanLoss = z.strictObject({ mean: finite(), standardError: notNegative() });

/** Routes as they lie on disk. Repairs of a mask are in the folder that is called by it. */
const routesFile = z.strictObject({
  format: z.literal("depthkit-routes"),
  version: z.literal(1),
  weightsDigest: digest(),
  depth: count(1),
  prompt: promptOptions,
  masks: z
    .array(z.strictObject({ name: z.string().min(1), removed: z.array(unitName), repaired: z.boolean() }))
    .min(1),
  router: z.strictObject({
    means: numbers,
    deviations: z.array(positive()),
    intercepts: numbers,
    weights: z.array(numbers),
    strength,
  }),
  heldOut: z.array(z.strictObject({ strength, error: notNegative() })),
  report: z.strictObject({
    domains: z.array(z.string()),
    sequences: count(1),
    matrix: z.array(z.array(meanLoss)),
    whole: z.array(meanLoss),
    routed: z.array(z.array(count())),
    worth: z.strictObject({
      single: way,
      router: way,
      byDomain: way.nullable(),
      oracle: way,
      sentence: z.string(),
    }),
  }),
  notes: z.array(z.string()),
});
export type RoutesFile = z.infer<typeof routesFile>;

export async function saveRoutes(
  on: Subject,
  given: string,
  { masks, prompt, router, heldOut, report, notes }: RoutesContent<RoutedSubnetwork>,
  call: CallOptions,
): Promise<void> {
  checkArgument("save routes", "folder", given, aText);
  const repaired = masks.filter(({ subnetwork }) => subnetwork.repairs.length > 0);
  if (repaired.length > 0 && on.connection.remote !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Saving routes: the repairs of ${repaired.map(({ name }) => name).join(", ")} lie with the worker at ` +
        `${on.connection.remote}, and the router here; save them from a program on that machine.`,
    );
  }
  const folder = absolutePath(given);
  const made = makeFree(folder);
  try {
    for (const { name, subnetwork } of repaired) {
      const { removed, repairs } = subnetwork;
      const subject = { ...subjectParams({ ...on, removed, repairs }), folder: join(folder, name) };
      await on.connection.request("repair.save", subject, call);
    }
    const { weightsDigest, depth } = on.info;
    const listed = masks.map(({ name, removed, subnetwork }) => ({
      name,
      removed: [...removed],
      repaired: subnetwork.repairs.length > 0,
    }));
    const facts = { format: "depthkit-routes", version: 1, weightsDigest, depth };
    writeJson(join(folder, FILE), { ...facts, prompt, masks: listed, router, heldOut, report, notes });
  } catch (error) {
    for (const path of made
      ? [folder]
      : [...repaired.map(({ name }) => join(folder, name)), join(folder, FILE)])
      rmSync(path, { recursive: true, force: true });
    throw asFileError(error, writing(folder));
  }
}

const writing = (folder: string) => ({
  doing: "Saving routes",
  path: folder,
  whenFull: "Free some space, and save again.",
  code: "INVALID_ARGUMENT" as const,
  otherwise: "Choose a folder that can be written.",
});

/** Whether the folder was made; what is there must be empty. */
function makeFree(folder: string): boolean {
  if (!existsSync(folder)) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw asFileError(error, writing(folder));
    }
    return true;
  }
  if (statSync(folder).isDirectory() && readdirSync(folder).length === 0) return false;
  throw new DepthkitError("TARGET_NOT_EMPTY", `Saving routes to ${folder}: there is something already.`, {
    details: { folder },
  });
}

/**
 * Reads what {@link saveRoutes} wrote.
 *
 * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, and INVALID_ARGUMENT for other weights
 */
export function readRoutes({ info }: Subject, given: string): RoutesFile {
  checkArgument("loadRoutes", "folder", given, aText);
  const path = join(absolutePath(given), FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new DepthkitError(
      "FILE_NOT_FOUND",
      `Loading routes from ${path}: ${(error as Error).message}. Name a folder that routes.save wrote; it ` +
        `writes ${FILE} last.`,
      { cause: error, details: { path } },
    );
  }
  const found = parseJson(text, routesFile);
  if (found === undefined || !fitsTogether(found)) {
    throw new DepthkitError(
      "UNSUPPORTED_FORMAT",
      `Loading routes from ${path}: it is not what this version of depthkit saves as routes, or it is ` +
        "damaged. Make the routes anew.",
      { details: { path } },
    );
  }
  const { weightsDigest } = found;
  if (weightsDigest === info.weightsDigest) return found;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Loading routes from ${path}: they were made for the weights ${weightsDigest.slice(0, 12)}, and this ` +
      `model has ${info.weightsDigest.slice(0, 12)}. Load the model that they were made for.`,
    { details: { path } },
  );
}

/** Whether all that has a row per mask, or a number per feature, has as many. */
function fitsTogether({ masks, router, report }: RoutesFile): boolean {
  const { means, deviations, intercepts, weights } = router;
  const rows = [report.matrix, report.whole, report.routed];
  return (
    [intercepts, weights, ...report.matrix, ...report.routed].every(
      ({ length }) => length === masks.length,
    ) &&
    [deviations, ...weights].every(({ length }) => length === means.length) &&
    rows.every(({ length }) => length === report.domains.length) &&
    new Set(masks.map(({ name }) => name)).size === masks.length
  );
}
