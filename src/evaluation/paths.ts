import { posix, win32 } from "node:path";
import { DepthkitError } from "../errors.ts";
import { absolutePath } from "../platform/absolute-path.ts";
import type { Executor } from "../rpc/executor.ts";

/**
 * A caller's path as the worker takes it. On this machine it starts in the folder that this program runs in;
 * with a remote worker it is a path of that machine, where nothing is known of ours.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function pathFor({ remote }: Executor, path: string): string {
  if (remote === undefined || typeof path !== "string" || path === "") return absolutePath(path);
  if (posix.isAbsolute(path) || win32.isAbsolute(path)) return path;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `The path ${JSON.stringify(path)} is looked for on the machine of the worker at ${remote}, so it must ` +
      "be absolute. What lies on this machine can be given as data: texts or rows.",
    { details: { path, worker: remote } },
  );
}

/**
 * Files of data: paths, and names of the Hugging Face hub, which are the same everywhere. Whatever else it is,
 * the contract refuses.
 */
export function filesFor(connection: Executor, files: readonly string[]): readonly string[] {
  if (!Array.isArray(files)) return files;
  return files.map((file: string) => (onHub(file) ? file : pathFor(connection, file)));
}

const onHub = (file: unknown): boolean => typeof file === "string" && file.startsWith("hf://");
