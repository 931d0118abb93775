import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Waits until something that other processes bring about holds. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error("waited 10 s in vain");
    await delay(20);
  }
}

export const hasText = (file: string) => existsSync(file) && readFileSync(file, "utf8").trim() !== "";
export const pidIn = (file: string) => Number(readFileSync(file, "utf8"));
