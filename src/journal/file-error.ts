import { asFileError } from "../platform/file-error.ts";

/** A failure of Node's own file calls on a journal, as an error with a code; others pass as they are. */
export function asJournalError(error: unknown, path: string): unknown {
  return asFileError(error, {
    doing: "Using the journal",
    path,
    whenFull:
      "What the journal held before is whole; free some space and run the same again, and it goes on " +
      "from there.",
    code: "INVALID_ARGUMENT",
    otherwise: "Name a folder that can be written to, or one that does not exist yet.",
  });
}
