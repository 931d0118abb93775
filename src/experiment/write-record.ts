import { asFileError } from "../platform/file-error.ts";
import { writeJson } from "../platform/json.ts";

/** Writes what a run leaves: whole, or not at all. */
export function writeRecord(path: string, record: unknown): void {
  try {
    writeJson(path, record);
  } catch (error) {
    throw asFileError(error, {
      doing: "Writing the record",
      path,
      whenFull: "Every step is in the journal beside it: free some space and run the same again.",
      code: "INVALID_ARGUMENT",
      otherwise: "Name a folder that can be written to.",
    });
  }
}
