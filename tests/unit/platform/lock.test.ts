import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { isLocked, withLock } from "../../../src/platform/lock.ts";
import { temporaryFolder, writeFile } from "./temporary-folder.ts";

/** The id of a process that has ended. */
function goneProcess(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

test("one at a time, and nothing is left behind", async () => {
  const lock = join(temporaryFolder(), "a.lock");
  let inside = 0;
  const waits: string[] = [];
  const visit = () =>
    withLock(lock, { onWait: (owner) => waits.push(owner) }, async () => {
      inside++;
      expect(inside).toBe(1);
      await delay(20);
      inside--;
    });
  await Promise.all([visit(), visit(), visit()]);
  expect(waits.length).toBeGreaterThan(0);
  expect(waits[0]).toBe(`process ${process.pid}`);
  expect(existsSync(lock)).toBe(false);
});

test("a lock whose owner was killed is taken over, by one only", async () => {
  const lock = join(temporaryFolder(), "a.lock");
  writeFile(join(lock, "owner-0"), `${goneProcess()} ${hostname()}`);
  expect(isLocked(lock)).toBe(false);
  let inside = 0;
  const visit = () =>
    withLock(lock, {}, async () => {
      inside++;
      expect(inside).toBe(1);
      expect(isLocked(lock)).toBe(true);
      await delay(20);
      inside--;
    });
  await Promise.all([visit(), visit(), visit(), visit()]);
  expect(existsSync(lock)).toBe(false);
});

test("the lock is released when the work fails", async () => {
  const lock = join(temporaryFolder(), "a.lock");
  const work = withLock(lock, {}, () => Promise.reject(new Error("no")));
  await expect(work).rejects.toThrow("no");
  expect(existsSync(lock)).toBe(false);
});

test("waiting can be cancelled, and leaves the owner's lock alone", async () => {
  const lock = join(temporaryFolder(), "a.lock");
  await withLock(lock, {}, async () => {
    const waiting = withLock(lock, { signal: AbortSignal.timeout(50) }, async () => {});
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    expect(isLocked(lock)).toBe(true);
  });
});

test("an owner on another machine counts as alive while its lock is fresh", () => {
  const lock = join(temporaryFolder(), "a.lock");
  writeFile(join(lock, "owner-3"), `${goneProcess()} another-machine`);
  expect(isLocked(lock)).toBe(true);
});
