import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DepthkitError, type StudyRecord } from "../index.ts";

/**
 * The record of a study: a folder that `run` wrote to, or the file itself.
 *
 * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT
 */
export async function readStudyRecord(run: string): Promise<StudyRecord> {
  const isFolder = statSync(run, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? join(run, "record.json") : run;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const why = isFolder
      ? "The study may not have ended: `depthkit run` with the same plan goes on."
      : "Check the path.";
    throw new DepthkitError("FILE_NOT_FOUND", `Reading the record ${file}: it is not there. ${why}`, {
      cause,
    });
  }
  const { recordSchema } = await import("../schemas.ts");
  const refuse = (why: string, cause: unknown) =>
    new DepthkitError("UNSUPPORTED_FORMAT", `Reading the record ${file}: ${why}`, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refuse(`it is not JSON: ${(cause as Error).message}`, cause);
  }
  const parsed = recordSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { recordVersion: version } = json as { recordVersion?: unknown };
  const [issue] = parsed.error.issues;
  throw refuse(
    version === 3
      ? `${issue?.path.join(".")}: ${issue?.message}. It was changed, or not written by depthkit.`
      : `its recordVersion is ${JSON.stringify(version)}, and this depthkit reads 3. Run its plan again.`,
    parsed.error,
  );
}
