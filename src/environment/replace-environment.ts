/** One environment in the place of another, which stays whole until the new one is. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { environmentPython } from "./environment-folder.ts";
import { markerFile, readMarker } from "./environment-marker.ts";

/** Where the one that takes a folder's place is made: beside it, so that one rename puts it there. */
export const buildFolder = (folder: string): string => `${folder}.new`;
const earlierFolder = (folder: string): string => `${folder}.old`;

/** What a process that was killed left beside a folder: the earlier environment goes back where it is due. */
export async function recover(folder: string): Promise<void> {
  const earlier = earlierFolder(folder);
  await removeEnvironment(buildFolder(folder));
  if (!existsSync(earlier)) return;
  if (readMarker(folder) === undefined) {
    await removeEnvironment(folder);
    renameSync(earlier, folder);
  } else {
    await removeEnvironment(earlier);
  }
}

/** Puts the new environment in its place; where `finish` fails there, the earlier one is back. */
export async function swapIn(folder: string, finish: () => void): Promise<void> {
  const [building, earlier] = [buildFolder(folder), earlierFolder(folder)];
  const replaces = existsSync(folder);
  rebase(building, folder);
  if (replaces) renameSync(folder, earlier);
  try {
    renameSync(building, folder);
    finish();
  } catch (error) {
    await removeEnvironment(folder);
    if (replaces) renameSync(earlier, folder);
    throw error;
  }
  await removeEnvironment(earlier);
}

/** The commands of an environment begin with its Python's path; the programs of Windows stay as they are. */
function rebase(from: string, to: string): void {
  const commands = dirname(environmentPython(from));
  for (const { name, parentPath } of readdirSync(commands, { withFileTypes: true }).filter((one) =>
    one.isFile(),
  )) {
    const file = join(parentPath, name);
    const content = readFileSync(file);
    if (content.includes(0) || !content.includes(from)) continue; // a program, or it names no folder
    writeFileSync(file, content.toString("utf8").replaceAll(from, to));
  }
}

/** The marker goes first, so that an environment half removed is not taken for a whole one. */
export async function removeEnvironment(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  rmSync(markerFile(folder), { force: true });
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
