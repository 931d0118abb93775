import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isRunning } from "../../../src/platform/lock.ts";

/**
 * Waits until something that other processes bring about holds; where it never does, the test's limit ends
 * it.
 */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(20);
}

/**
 * Whether a process is there and at work: an orphan that has ended stays in the table until init looks at it.
 */
export function isAlive(pid: number): boolean {
  if (!isRunning(pid)) return false;
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return isRunning(pid);
  }
}

export const hasText = (file: string) => existsSync(file) && readFileSync(file, "utf8").trim() !== "";
export const pidIn = (file: string) => Number(readFileSync(file, "utf8"));
