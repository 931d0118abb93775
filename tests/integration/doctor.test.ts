import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { doctor } from "../../src/doctor/doctor.ts";
import { doctorReport } from "../../src/doctor/doctor-report.ts";
import { findInterpreter } from "../../src/environment/interpreter.ts";
import { setup } from "../../src/environment/setup.ts";
import { pythonPath } from "../../src/platform/package-root.ts";
import { runChild } from "../../src/platform/run-child.ts";
import { hasText, isAlive, pidIn, until } from "../unit/platform/processes.ts";
import { fakePython, temporaryFolder, writeFile } from "../unit/platform/temporary-folder.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Points DEPTHKIT_PYTHON at a real interpreter that has this instead of torch. */
async function withTorch(source: string): Promise<string> {
  const { executable } = await findInterpreter();
  const folder = temporaryFolder();
  writeFile(join(folder, "torch", "__init__.py"), source);
  vi.stubEnv("DEPTHKIT_PYTHON", executable);
  vi.stubEnv("PYTHONPATH", folder);
  return folder;
}

/** Milliseconds that no import takes, however busy the machine is. */
const FAR = 3_600_000;

describe("doctor", () => {
  test("a prepared machine is healthy, and its report has all parts", async () => {
    await setup();
    const report = await doctor({ timeoutMs: FAR });
    expect(doctorReport.parse(report)).toEqual(report);
    expect(report.problems).toEqual([]);
    expect(report.healthy).toBe(true);
    expect(report.python).toMatchObject({ managed: true, interpreter: { implementation: "CPython" } });
    expect(report.python.packages?.["pyzmq"]).toMatch(/^[0-9]+\.[0-9]/);
    expect(report.python.devices?.threads).toBeGreaterThan(0);
    expect(report.node.packages["zeromq"]).toMatch(/^[0-9]/);
    expect(report.cache.models.map(({ whole }) => whole)).toContain(true);
  });

  describe.skipIf(process.platform === "win32")("an interpreter that", () => {
    test("crashes at the import of torch", async () => {
      await withTorch("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n");
      const report = await doctor({ timeoutMs: FAR });
      expect(report.healthy).toBe(false);
      expect(report.python.interpreter?.version).toMatch(/^3\./);
      expect(report.python.devices).toBeNull();
      expect(report.problems.map(({ message }) => message).join("\n")).toMatch(
        /torch .*failed: Python ended with SIGSEGV/,
      );
    });

    test("hangs at the import of torch", async () => {
      const pids = join(temporaryFolder(), "pids");
      await withTorch(
        `import os, time\nprint(os.getpid(), file=open(${JSON.stringify(pids)}, "w"), ` +
          `flush=True)\ntime.sleep(86400)\n`,
      );
      // On a slow machine Python comes as far only within a later limit.
      let limit = 2_000;
      let report = await doctor({ timeoutMs: limit });
      while (!hasText(pids)) {
        limit *= 2;
        report = await doctor({ timeoutMs: limit });
      }
      const problems = report.problems.map(({ message }) => message).join("\n");
      expect(problems).toContain(`no answer within ${limit / 1000} s`);
      await until(() => !isAlive(pidIn(pids)));
    });

    test("raises at the import of torch", async () => {
      await withTorch("raise ImportError('libcudart.so.13: cannot open shared object file')\n");
      const { problems } = await doctor({ timeoutMs: FAR });
      expect(problems.map(({ message }) => message).join("\n")).toContain("ImportError: libcudart.so.13");
    });

    test("has two GPUs", async () => {
      await withTorch(`
__version__ = "2.13.0+cu130"
from types import SimpleNamespace as N
def get_num_threads(): return 4
version = N(cuda="13.0")
cuda = N(device_count=lambda: 2, get_device_properties=lambda i: N(name=f"GPU {i}", total_memory=80 * 10**9, major=9, minor=i))
backends = N(mps=N(is_available=lambda: False))
`);
      const { python } = await doctor({ timeoutMs: FAR });
      expect(python.devices).toEqual({
        torch: "2.13.0+cu130",
        threads: 4,
        cudaBuild: "13.0",
        mps: false,
        cuda: [
          { name: "GPU 0", memoryBytes: 80e9, capability: "9.0" },
          { name: "GPU 1", memoryBytes: 80e9, capability: "9.1" },
        ],
      });
    });
  });
});

/** Prepares a folder beside `target`, and stops there. */
async function killedWhileWriting(target: string): Promise<void> {
  const { executable } = await findInterpreter();
  const script =
    "import os, sys; from pathlib import Path;" +
    "from depthkit_worker.models.partial_folders import partial_folder;" +
    "making = partial_folder(Path(sys.argv[1])); prepared = making.__enter__();" +
    "(prepared.new / 'model.safetensors').write_bytes(bytes(1000));" +
    "os.kill(os.getpid(), 9)";
  const { signal } = await runChild(executable, ["-c", script, target], {
    env: { ...process.env, PYTHONPATH: pythonPath("src") },
  });
  expect(signal).toBe("SIGKILL");
}

test.skipIf(process.platform === "win32")(
  "what killed saves left is told, and removed on demand",
  async () => {
    await setup();
    const folder = temporaryFolder();
    await killedWhileWriting(join(folder, "smaller"));
    writeFile(join(folder, ".mine.partial", "notes"), "mine");
    const told = await doctor({ folders: [folder], timeoutMs: FAR });
    const found = (owner: string) => told.leftovers?.filter((one) => one.owner === owner) ?? [];
    expect(found("abandoned")).toMatchObject([
      { folder: expect.stringContaining(".smaller."), removed: false },
    ]);
    expect(found("abandoned")[0]?.bytes).toBeGreaterThan(1000);
    expect(found("unknown")).toMatchObject([{ folder: join(folder, ".mine.partial") }]);
    expect(told.problems.map(({ remedy }) => remedy).join("\n")).toContain("--clean");
    expect(told.healthy).toBe(true);

    const cleaned = await doctor({ folders: [folder], clean: true, timeoutMs: FAR });
    expect(cleaned.leftovers?.filter(({ removed }) => removed)).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([".mine.partial"]);
  },
);

test("DEPTHKIT_PYTHON that does not exist is a problem with a remedy", async () => {
  vi.stubEnv("DEPTHKIT_PYTHON", "/nope");
  const report = await doctor({ timeoutMs: FAR });
  expect(report.healthy).toBe(false);
  expect(report.problems[0]).toMatchObject({ code: "PYTHON_NOT_FOUND", severity: "error" });
  expect(report.problems[0]?.remedy).toContain("DEPTHKIT_PYTHON");
});

test.skipIf(process.platform === "win32")("DEPTHKIT_PYTHON that is too old is a problem", async () => {
  vi.stubEnv("DEPTHKIT_PYTHON", fakePython(join(temporaryFolder(), "python"), { version: [3, 8, 18] }));
  expect((await doctor({ timeoutMs: FAR })).problems[0]).toMatchObject({ code: "PYTHON_TOO_OLD" });
});

test("without set-up: the command to run", async () => {
  vi.stubEnv("DEPTHKIT_HOME", temporaryFolder());
  vi.stubEnv("DEPTHKIT_PYTHON", "");
  const report = await doctor({ timeoutMs: FAR });
  expect(report.healthy).toBe(false);
  expect(report.problems.map(({ code }) => code)).toEqual(["ENVIRONMENT_MISSING", "MODEL_NOT_FOUND"]);
  expect(report.problems[0]?.remedy).toBe("Run: npx depthkit setup");
});
