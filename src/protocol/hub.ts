/** What goes to the Hugging Face hub. */
import { z } from "zod";
import { exportedFile } from "./export.ts";
import { count, extending, finite, list, named, path } from "./schema.ts";

/** Options of `kit.push`. */
export const hubPushOptions = named(
  "HubPushOptions",
  z.strictObject({
    private: z
      .boolean()
      .default(false)
      .describe(
        "Only you and your organisation see the repository. One that is there already is not changed: " +
          "where it is public, the push is refused.",
      ),
    revision: z
      .string()
      .min(1)
      .default("main")
      .describe("The branch; where there is none of this name, it is made from main."),
    message: z.string().min(1).default("Model exported by depthkit").describe("The commit's message."),
    overwrite: z
      .boolean()
      .default(false)
      .describe(
        "Replace what the branch holds: all other files in it go in the same commit. Its history stays.",
      ),
  }),
);

export const hubPushParams = extending("HubPushParams", hubPushOptions, {
  path: path().describe("An exported folder, or a GGUF file that depthkit wrote."),
  repo: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+$(?!\n)/, {
      error: ({ input }) =>
        `expected a repository as OWNER/NAME, of letters, digits, "-", "_" and "."; got ${String(input)}.`,
    })
    .describe("The repository, as OWNER/NAME."),
});

export const hubPushResult = named(
  "HubPushResult",
  z.object({
    repo: z.string().describe("OWNER/NAME, as the hub has it."),
    revision: z.string().describe("The branch."),
    url: z.string().describe("The branch's page."),
    commit: z.string().describe("The commit's number."),
    created: z.boolean().describe("Whether the repository was made for it."),
    files: list(exportedFile).describe("What the commit holds, by the names it has there."),
    bytes: count().describe("Of all files."),
    deleted: list(z.string()).describe("Files of the branch that are gone in the commit."),
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What was put on the Hugging Face hub, and where. */
export type HubPush = z.infer<typeof hubPushResult>;
