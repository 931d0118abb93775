import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Linux counts a process's time in these; the same on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process has taken so far; undefined where the system does not tell. */
export async function usedProcessorSeconds(pid: number): Promise<number | undefined> {
  try {
    if (process.platform === "linux") {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1");
      // The name, in parentheses, may hold anything. Behind it: state, ten numbers, user and system time.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    }
    if (process.platform === "win32") return undefined;
    const { stdout } = await promisify(execFile)("ps", ["-o", "time=", "-p", String(pid)]);
    // [hours:]minutes:seconds
    return stdout
      .trim()
      .split(":")
      .reduce((total, part) => total * 60 + Number(part), 0);
  } catch {
    return undefined; // gone, which others tell
  }
}
