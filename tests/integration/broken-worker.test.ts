import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import { Depthkit, type DepthkitError } from "../../src/index.ts";
import { isAlive, until } from "../unit/platform/processes.ts";
import { temporaryFolder } from "../unit/platform/temporary-folder.ts";
import { workerFaults } from "./worker-faults.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const sleep = (kit: Depthkit) => kit.connection.call("worker.sleep", { seconds: 600 });

describe.skipIf(process.platform !== "linux")("what happens to a worker", () => {
  beforeEach(async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sitecustomize.py"), workerFaults);
    vi.stubEnv("DEPTHKIT_PYTHON", (await resolveWorkerPython()).python);
    vi.stubEnv("PYTHONPATH", folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("a connection that breaks fails every call at once, and ends the worker behind it", async () => {
    const kit = await Depthkit.start();
    const calls = Promise.allSettled([sleep(kit), sleep(kit)]);
    process.kill(kit.pid, "SIGUSR1");
    for (const result of await calls) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "CONNECTION_LOST" } });
    }
    await kit.close();
    expect(() => process.kill(kit.pid, 0)).toThrow("ESRCH");
  });

  test("its end is known though a child of its own holds its pipes, with its last words", async () => {
    const kit = await Depthkit.start();
    const call = sleep(kit);
    process.kill(kit.pid, "SIGWINCH");
    const error = (await call.catch((reason) => reason)) as DepthkitError;
    const { stderr } = error.details as { stderr: string };
    process.kill(Number(/child ([0-9]+)/.exec(stderr)?.[1])); // still there, so the pipes were held
    expect(error).toMatchObject({
      code: "WORKER_DIED",
      details: { signal: "SIGKILL", stderr: expect.stringContaining("before the end") },
    });
    await kit.close();
  });

  test("one whose message nobody can read is ended, and every call is told why", async () => {
    let garbling: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      garbling = resolve;
    });
    const say = (_: object, line: string) => line === "garbling" && garbling();
    const kit = await Depthkit.start({ logger: { debug: say, info: say, warn: say, error: say } });
    const calls = [sleep(kit)];
    process.kill(kit.pid, "SIGTTOU");
    await begun;
    calls.push(kit.connection.call("worker.sleep", { seconds: 0 }));
    await expect(kit.status()).rejects.toMatchObject({ code: "PROTOCOL" });
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "PROTOCOL" } });
    }
    await expect(kit.exited).resolves.toMatchObject({ how: "crashed", error: { code: "PROTOCOL" } });
    expect(() => process.kill(kit.pid, 0)).toThrow("ESRCH");
  });

  test("one that is silent and does nothing for a minute is ended", async () => {
    const kit = await Depthkit.start();
    process.kill(kit.pid, "SIGSTOP");
    await expect(sleep(kit)).rejects.toMatchObject({ code: "WORKER_UNRESPONSIVE" });
    await expect(kit.exited).resolves.toMatchObject({ how: "crashed", signal: "SIGKILL" });
  });

  test("while torch is on its way, where a result is to go is looked at already", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "torch.py"), "import time; time.sleep(86400)");
    vi.stubEnv("PYTHONPATH", folder);
    await using kit = await Depthkit.start();
    await kit.checkTarget(join(folder, "new"), { kind: "files" });
    const file = join(folder, "torch.py");
    await expect(kit.checkTarget(file, { kind: "files" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await kit.status()).toMatchObject({ ready: false });
  });

  test("its standard input is at its end: what prompts does not wait", async () => {
    await using kit = await Depthkit.start();
    expect(readlinkSync(`/proc/${kit.pid}/fd/0`)).toBe("/dev/null");
  });

  test.each(["SIGSTOP", "SIGUSR2"])("one that got %s does not outlive its killed parent", async (fault) => {
    const script = `import { Depthkit } from "./src/index.ts";
      const kit = await Depthkit.start();
      process.stdout.write(String(kit.pid));
      await new Promise(() => {});`;
    const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [pid] = await once(parent.stdout, "data");
    process.kill(Number(pid), fault as NodeJS.Signals);
    parent.kill("SIGKILL");
    await until(() => !isAlive(Number(pid)));
  });
});
