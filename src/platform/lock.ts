import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { throwIfCancelled } from "./cancelled.ts";
import { systemCode } from "./file-error.ts";

const POLL_MS = 250;
const BEAT_MS = 5_000;
/** After this long without a beat an owner on another machine, or one that wrote no pid, counts as gone. */
const SILENCE_MS = 30_000;

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Called once, with the owner, when there is somebody to wait for. */
  onWait?: (owner: string) => void;
}

/**
 * Runs `work` while holding a lock folder. The folder holds one file per owner, `owner-<n>`; the highest
 * owns it. Whoever finds that owner gone creates the next file, which only one process can.
 */
export async function withLock<T>(folder: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  let told = false;
  for (;;) {
    throwIfCancelled(options.signal, `Waiting for ${folder}`);
    const owner = tryAcquire(folder);
    if (owner.mine) {
      const beat = setInterval(() => touch(owner.file), BEAT_MS);
      beat.unref();
      try {
        return await work();
      } finally {
        clearInterval(beat);
        rmSync(folder, { recursive: true, force: true });
      }
    }
    if (!told) options.onWait?.(owner.who);
    told = true;
    await delay(POLL_MS);
  }
}

type Attempt = { mine: true; file: string } | { mine: false; who: string };

function tryAcquire(folder: string): Attempt {
  mkdirSync(folder, { recursive: true });
  const newest = owners(folder).at(-1);
  if (newest !== undefined) {
    const file = join(folder, `owner-${newest}`);
    const state = stateOf(file);
    if (state.alive) return { mine: false, who: state.who };
  }
  const file = join(folder, `owner-${(newest ?? -1) + 1}`);
  try {
    writeFileSync(file, `${process.pid} ${hostname()}`, { flag: "wx" });
  } catch (error) {
    const code = systemCode(error);
    // EEXIST: another was faster. ENOENT: the owner has just removed the folder.
    if (code === "EEXIST" || code === "ENOENT") return { mine: false, who: "another process" };
    throw error;
  }
  // The folder may have been removed and made anew between the look and the write: then the next in line
  // is not ours to be.
  if (newest !== undefined && !owners(folder).includes(newest)) {
    rmSync(file, { force: true });
    return { mine: false, who: "another process" };
  }
  return { mine: true, file };
}

function owners(folder: string): number[] {
  try {
    return readdirSync(folder)
      .map((name) => /^owner-([0-9]+)$/.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}

function stateOf(file: string): { alive: boolean; who: string } {
  try {
    const silent = Date.now() - statSync(file).mtimeMs > SILENCE_MS;
    const [pid, host] = readFileSync(file, "utf8").split(" ");
    if (!pid || !host) return { alive: !silent, who: "another process" };
    if (host !== hostname()) return { alive: !silent, who: `process ${pid} on ${host}` };
    return { alive: isRunning(Number(pid)), who: `process ${pid}` };
  } catch {
    // Released this moment: look again.
    return { alive: true, who: "another process" };
  }
}

/** Whether a process of this machine exists, whoever it belongs to. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

/** Whether somebody who is alive holds the lock. */
export function isLocked(folder: string): boolean {
  const newest = owners(folder).at(-1);
  return newest !== undefined && stateOf(join(folder, `owner-${newest}`)).alive;
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // The folder went, and with it the lock; the work under way has nothing to gain from knowing.
  }
}
