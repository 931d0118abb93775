import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { findInterpreter } from "../../../src/environment/interpreter.ts";
import { runModule } from "../../../src/environment/run-module.ts";
import { isRunning } from "../../../src/platform/lock.ts";
import { runChild } from "../../../src/platform/run-child.ts";
import { shellProgram, temporaryFolder, writeFile } from "./temporary-folder.ts";

async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error("waited 10 s in vain");
    await delay(20);
  }
}

const pidIn = (file: string) => Number(readFileSync(file, "utf8"));
const hasText = (file: string) => existsSync(file) && readFileSync(file, "utf8").trim() !== "";

describe.skipIf(process.platform === "win32")("runChild", () => {
  test("gives the lines of both streams and the exit code", async () => {
    const program = shellProgram(join(temporaryFolder(), "p"), "printf 'a\\nb\\rc'; echo d >&2; exit 3");
    const result = await runChild(program, []);
    expect(result.code).toBe(3);
    expect([...result.lines].sort()).toEqual(["a", "b", "c", "d"]);
  });

  test("a program that does not exist is a result, not a crash", async () => {
    const result = await runChild("/nope/program", []);
    expect(result.spawnError?.code).toBe("ENOENT");
  });

  test("an abort ends the program and what it started", async () => {
    const folder = temporaryFolder();
    const pid = join(folder, "pid");
    const program = shellProgram(join(folder, "p"), `sleep 60 & echo $! > ${pid}; wait`);
    const controller = new AbortController();
    const running = runChild(program, [], { signal: controller.signal });
    await until(() => hasText(pid));
    controller.abort();
    expect((await running).signal).toBe("SIGKILL");
    await until(() => !isRunning(pidIn(pid)));
  });

  test("so does a limit of time", async () => {
    const program = shellProgram(join(temporaryFolder(), "p"), "sleep 60");
    const result = await runChild(program, [], { timeoutMs: 100 });
    expect(result.timedOut).toBe(true);
  });
});

describe.skipIf(process.platform === "win32")("runModule", () => {
  test("runs a module with its arguments", async () => {
    const { executable } = await findInterpreter();
    const folder = temporaryFolder();
    writeFile(join(folder, "shout.py"), "import sys; print(__name__, sys.argv[1:], repr(sys.stdin.read()))");
    const env = { ...process.env, PYTHONPATH: folder };
    const result = await runModule(executable, ["shout", "a", "--b"], { env, isolated: false });
    expect(result).toMatchObject({ code: 0, lines: ["__main__ ['a', '--b'] ''"] });
    expect(await runModule(executable, ["shout"], { env })).toMatchObject({ code: 1 });
  });

  test("a module goes when the Node process that runs it is killed", async () => {
    const { executable } = await findInterpreter();
    const folder = temporaryFolder();
    const [pid, child] = [join(folder, "pid"), join(folder, "child-pid")];
    writeFile(
      join(folder, "sleeper.py"),
      `import os, subprocess, time
print(subprocess.Popen(["sleep", "60"]).pid, file=open(${JSON.stringify(child)}, "w"), flush=True)
print(os.getpid(), file=open(${JSON.stringify(pid)}, "w"), flush=True)
time.sleep(60)`,
    );
    const source = pathToFileURL(join(import.meta.dirname, "../../../src/environment/run-module.ts")).href;
    const program = `const { runModule } = await import(${JSON.stringify(source)});
await runModule(${JSON.stringify(executable)}, ["sleeper"], { isolated: false });`;
    const node = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      env: { ...process.env, PYTHONPATH: folder },
    });
    await until(() => hasText(pid) && hasText(child));
    node.kill("SIGKILL");
    await until(() => !isRunning(pidIn(pid)) && !isRunning(pidIn(child)));
  });
});
