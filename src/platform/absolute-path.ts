import { resolve } from "node:path";

/**
 * A caller's path, which starts in the folder that this program runs in: the worker's is another. What is no
 * path stays as it is, for the contract to refuse: an empty one would mean the current folder.
 */
export function absolutePath(path: string): string {
  return typeof path === "string" && path !== "" ? resolve(path) : path;
}
