import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { chooseInstaller } from "../../../src/environment/installer.ts";
import { findInterpreter } from "../../../src/environment/interpreter.ts";
import { readUvLine } from "../../../src/environment/uv.ts";
import { shellProgram, temporaryFolder } from "../platform/temporary-folder.ts";

let python: string;
beforeEach(async () => {
  python = (await findInterpreter()).executable;
  vi.stubEnv("PIP_CONFIG_FILE", process.platform === "win32" ? "nul" : "/dev/null");
  for (const name of ["INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX"]) {
    vi.stubEnv(`PIP_${name}`, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A `uv` on the PATH, which is asked for its version here and for nothing else. */
function uvOnPath() {
  const folder = temporaryFolder();
  shellProgram(join(folder, "uv"), "echo uv 0.0.0");
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
}

test.skipIf(process.platform === "win32")(
  "uv where it is on the PATH, pip where pip is configured",
  async () => {
    uvOnPath();
    expect((await chooseInstaller({ python })).name).toBe("uv");
    vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/");
    const said: string[] = [];
    const onProgress = ({ message }: { message: string }) => said.push(message);
    expect((await chooseInstaller({ python, onProgress })).name).toBe("pip");
    expect(said).toEqual(["Using pip, as it is configured with index-url, which uv does not read"]);
    vi.stubEnv("DEPTHKIT_INSTALLER", "uv");
    expect((await chooseInstaller({ python })).name).toBe("uv");
  },
);

test("pip where there is no uv; what DEPTHKIT_INSTALLER names must be there", async () => {
  vi.stubEnv("PATH", temporaryFolder());
  expect((await chooseInstaller({ python })).name).toBe("pip");
  for (const installer of ["uv", "conda"]) {
    vi.stubEnv("DEPTHKIT_INSTALLER", installer);
    await expect(chooseInstaller({ python })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`DEPTHKIT_INSTALLER is ${installer === "uv" ? "uv" : '"conda"'}`),
    });
  }
});

test("finds the phases in what uv prints", () => {
  const lines = [
    "Using Python 3.11.7 environment at: env",
    "Resolved 2 packages in 133ms",
    "Downloading numpy (16.1MiB)",
    " Downloaded numpy",
    "Prepared 2 packages in 817ms",
    "Installed 2 packages in 14ms",
    " + numpy==2.4.6",
  ];
  expect(lines.map(readUvLine).filter((progress) => progress !== undefined)).toEqual([
    { step: "download", message: "Downloading packages" },
    { step: "download", message: "Downloading numpy" },
    { step: "install", message: "Installing packages", done: 0, total: 2, unit: "packages" },
  ]);
});
