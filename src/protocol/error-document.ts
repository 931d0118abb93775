import { z } from "zod";
import { errorCodes } from "../errors.ts";

/** What a command prints on standard output in place of its result, where `--json` was given. */
export const errorDocument = z.object({
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    /** The facts behind the message; which ones depends on the code. */
    details: z.record(z.string(), z.unknown()),
    /** Where the same command goes on from what was finished; null where it begins anew. */
    resume: z
      .object({
        /** The folder that keeps it. */
        journal: z.string(),
        /** For a shell, in the folder that the command ran in. */
        command: z.string(),
      })
      .nullable(),
  }),
});
/** What a command with `--json` prints where it fails. */
export type ErrorDocument = z.infer<typeof errorDocument>;
