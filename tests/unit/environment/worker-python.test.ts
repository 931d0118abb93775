import { afterEach, expect, test, vi } from "vitest";
import { resolveWorkerPython } from "../../../src/environment/worker-python.ts";
import { temporaryFolder } from "../platform/temporary-folder.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test("without set-up: an error with the command", async () => {
  vi.stubEnv("DEPTHKIT_PYTHON", "");
  vi.stubEnv("DEPTHKIT_HOME", temporaryFolder());
  await expect(resolveWorkerPython()).rejects.toMatchObject({
    code: "ENVIRONMENT_MISSING",
    message: "The worker's Python environment is missing. Run: npx depthkit setup",
  });
});

test("DEPTHKIT_PYTHON is taken at its word, with its own PYTHONPATH", async () => {
  vi.stubEnv("DEPTHKIT_PYTHON", "/own/python");
  vi.stubEnv("PYTHONPATH", "/own/modules");
  vi.stubEnv("DEPTHKIT_HOME", temporaryFolder());
  expect(await resolveWorkerPython()).toEqual({
    python: "/own/python",
    managed: false,
    env: { PYTHONDONTWRITEBYTECODE: "", PYTHONPATH: "/own/modules" },
  });
  expect(await resolveWorkerPython("/given/python")).toMatchObject({
    python: "/given/python",
    managed: false,
  });
});
