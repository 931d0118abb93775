import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runChild } from "../../../src/platform/run-child.ts";
import { hasText, isAlive, pidIn, until } from "./processes.ts";
import { shellProgram, temporaryFolder } from "./temporary-folder.ts";

describe.skipIf(process.platform === "win32")("runChild", () => {
  test("gives the lines of both streams and the exit code", async () => {
    const program = shellProgram(
      join(temporaryFolder(), "p"),
      "printf 'a\\nb\\rc\\r\\ne'; echo d >&2; exit 3",
    );
    const result = await runChild(program, []);
    expect(result.code).toBe(3);
    expect([...result.lines].sort()).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("a program that does not exist is a result, not a crash", async () => {
    const result = await runChild("/nope/program", []);
    expect(result.spawnError?.code).toBe("ENOENT");
  });

  test("an abort ends the program and what it started", async () => {
    const folder = temporaryFolder();
    const pid = join(folder, "pid");
    const program = shellProgram(join(folder, "p"), `sleep 86400 & echo $! > ${pid}; wait`);
    const controller = new AbortController();
    const running = runChild(program, [], { signal: controller.signal });
    await until(() => hasText(pid));
    controller.abort();
    expect((await running).signal).toBe("SIGKILL");
    await until(() => !isAlive(pidIn(pid)));
  });

  test("what the reader of its lines throws ends it, and is thrown", async () => {
    const folder = temporaryFolder();
    const pid = join(folder, "pid");
    const program = shellProgram(join(folder, "p"), `echo $$ > ${pid}; echo a; sleep 86400`);
    const fault = new Error("a fault of the reader");
    const running = runChild(program, [], {
      onLine: () => {
        throw fault;
      },
    });
    await expect(running).rejects.toBe(fault);
    await until(() => !isAlive(pidIn(pid)));
  });

  test("so does a limit of time", async () => {
    const program = shellProgram(join(temporaryFolder(), "p"), "sleep 86400");
    const result = await runChild(program, [], { timeoutMs: 100 });
    expect(result.timedOut).toBe(true);
  });
});
