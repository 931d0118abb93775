import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { explainStartFailure } from "../../../src/worker/start-failure.ts";
import { fakePython, temporaryFolder } from "../platform/temporary-folder.ts";

const ended = { exitCode: 1, signal: null, stderr: "" };

function spawnError(code: string): Error {
  return Object.assign(new Error(`spawn ${code}`), { code });
}

test("no such program", async () => {
  const failure = { ...ended, python: "/nope/python", spawnError: spawnError("ENOENT") };
  const error = await explainStartFailure(failure);
  expect(error.code).toBe("PYTHON_NOT_FOUND");
  expect(error.message).toMatch(/\/nope\/python does not exist.*DEPTHKIT_PYTHON/);
});

test("a file that may not be run", async () => {
  const failure = { ...ended, python: "/etc/hosts", spawnError: spawnError("EACCES") };
  expect(await explainStartFailure(failure)).toMatchObject({
    code: "PYTHON_NOT_FOUND",
    message: expect.stringContaining("may be run"),
  });
});

describe.skipIf(process.platform === "win32")("an interpreter that ran", () => {
  test.each([
    ["ModuleNotFoundError: No module named 'torch'", "torch", '"torch==2.13.0"'],
    ["ModuleNotFoundError: No module named 'zmq.backend'", "zmq", '"pyzmq=='],
    ["/x/python: No module named msgspec", "msgspec", '"msgspec=='],
    [
      '  File "/x/lib/python3.12/site-packages/torch/__init__.py", line 4\nImportError: libcudart.so.13: cannot open',
      "torch",
      '"torch==2.13.0"',
    ],
  ])("%s", async (stderr, module, pin) => {
    const python = fakePython(join(temporaryFolder(), "python"));
    const error = await explainStartFailure({ ...ended, python, stderr });
    expect(error.code).toBe("MODULE_MISSING");
    expect(error.details).toMatchObject({ module });
    expect(error.message).toContain(`Install it: "${python}" -m pip install ${pin}`);
  });

  test("one of the managed environment is to be made anew", async () => {
    const home = temporaryFolder();
    vi.stubEnv("DEPTHKIT_HOME", home);
    const python = fakePython(join(home, "envs", "py312-linux-x64-0123456789ab", "bin", "python"));
    const stderr = "ModuleNotFoundError: No module named 'torch'";
    const error = await explainStartFailure({ ...ended, python, stderr });
    expect(error.message).toContain("npx depthkit setup --force");
    vi.unstubAllEnvs();
  });

  test.each(["unknown option -P", "SyntaxError: invalid syntax", "No module named 'tomllib'"])(
    "an old Python that says %j",
    async (stderr) => {
      const python = fakePython(join(temporaryFolder(), "python"), { version: [3, 8, 18] });
      expect(await explainStartFailure({ ...ended, exitCode: 2, python, stderr })).toMatchObject({
        code: "PYTHON_TOO_OLD",
        message: expect.stringContaining("3.8.18"),
      });
    },
  );

  test("anything else: how it ended and its last lines", async () => {
    const python = fakePython(join(temporaryFolder(), "python"));
    const stderr = Array.from({ length: 30 }, (_, line) => `line ${line}`).join("\n");
    const error = await explainStartFailure({ python, exitCode: null, signal: "SIGSEGV", stderr });
    expect(error.code).toBe("WORKER_START_FAILED");
    expect(error.message).toMatch(/ended with SIGSEGV[\s\S]*line 18[\s\S]*line 29$/);
    expect(error.message).not.toContain("line 17");
  });
});
