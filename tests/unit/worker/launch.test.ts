import { join } from "node:path";
import { expect, test } from "vitest";
import { launchWorker } from "../../../src/worker/launch.ts";
import { shellProgram, temporaryFolder } from "../platform/temporary-folder.ts";

test.skipIf(process.platform === "win32")(
  "a first line that is no address is shown in the error",
  async () => {
    const python = shellProgram(join(temporaryFolder(), "python"), "echo a greeting; exec sleep 86400");
    await expect(launchWorker({ python })).rejects.toMatchObject({
      code: "WORKER_START_FAILED",
      message: expect.stringContaining('"a greeting"'),
    });
  },
);
