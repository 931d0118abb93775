import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What Node runs the command line with, from its sources. */
export const cli = [
  "--import",
  join(root, "node_modules/tsx/dist/loader.mjs"),
  join(root, "src/cli/main.ts"),
] as const;
