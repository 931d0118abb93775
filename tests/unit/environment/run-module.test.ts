import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { findInterpreter } from "../../../src/environment/interpreter.ts";
import { runModule } from "../../../src/environment/run-module.ts";
import { hasText, isAlive, pidIn, until } from "../platform/processes.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

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
print(subprocess.Popen(["sleep", "86400"]).pid, file=open(${JSON.stringify(child)}, "w"), flush=True)
print(os.getpid(), file=open(${JSON.stringify(pid)}, "w"), flush=True)
time.sleep(86400)`,
    );
    const source = pathToFileURL(join(import.meta.dirname, "../../../src/environment/run-module.ts")).href;
    const program = `const { runModule } = await import(${JSON.stringify(source)});
await runModule(${JSON.stringify(executable)}, ["sleeper"], { isolated: false });`;
    const node = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      env: { ...process.env, PYTHONPATH: folder },
    });
    await until(() => hasText(pid) && hasText(child));
    node.kill("SIGKILL");
    await until(() => !isAlive(pidIn(pid)) && !isAlive(pidIn(child)));
  });
});
