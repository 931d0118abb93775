/** Files that scripts write and git keeps. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.ts";

/**
 * Writes the files that differ from these texts, by path from the repository's root. With `--check` on the
 * command line it writes nothing, and ends this process with code 1 where one differs.
 */
export function writeGenerated(texts: Readonly<Record<string, string>>): void {
  const stale = Object.entries(texts).filter(([path, text]) => {
    let current = "";
    try {
      current = readFileSync(join(root, path), "utf8");
    } catch {
      // A file that is not there yet counts as different.
    }
    return current !== text;
  });
  if (process.argv.includes("--check") && stale.length > 0) {
    console.error(`Out of date: ${stale.map(([path]) => path).join(", ")}. Run: npm run generate`);
    process.exit(1);
  }
  for (const [path, text] of stale) writeFileSync(join(root, path), text);
}
