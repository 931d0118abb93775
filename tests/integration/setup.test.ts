import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isBundledModelReady } from "../../src/environment/bundled-model.ts";
import { ensureEnvironment, pruneEnvironments } from "../../src/environment/environment.ts";
import { markerFile } from "../../src/environment/environment-marker.ts";
import { environmentState, stateOfFolder } from "../../src/environment/environment-state.ts";
import { ensureExtra } from "../../src/environment/extras.ts";
import { installTorch } from "../../src/environment/install-torch.ts";
import { findInterpreter } from "../../src/environment/interpreter.ts";
import { PIP_VERSION, PipInstaller } from "../../src/environment/pip.ts";
import {
  type Requirements,
  requirementsHash,
  workerRequirements,
} from "../../src/environment/requirements.ts";
import { runModule } from "../../src/environment/run-module.ts";
import { setup } from "../../src/environment/setup.ts";
import type { SetupProgress, StepProgress } from "../../src/environment/setup-progress.ts";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import { DepthkitError } from "../../src/errors.ts";
import { environmentsFolder } from "../../src/platform/cache-folder.ts";
import { runChild } from "../../src/platform/run-child.ts";
import { until } from "../unit/platform/processes.ts";
import { temporaryFolder, writeFile } from "../unit/platform/temporary-folder.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("set-up on this machine", () => {
  test("a second call starts nothing and changes nothing", async () => {
    const first = await setup();
    const made = first.environment && statSync(markerFile(first.environment)).mtimeMs;
    const messages: SetupProgress[] = [];
    const second = await setup({ onProgress: (progress) => messages.push(progress) });
    expect(second).toEqual(first);
    expect(messages.map(({ step }) => step)).toEqual(["done"]);
    expect(second.environment && statSync(markerFile(second.environment)).mtimeMs).toBe(made);
    expect(isBundledModelReady()).toBe(true);
  });

  test("the worker's interpreter is there", async () => {
    await setup();
    const { python } = await resolveWorkerPython();
    expect(existsSync(python)).toBe(true);
  });
});

/** A cache of its own, and an environment small enough to be made in a test. */
function smallEnvironment(pin = "six==1.17.0"): Requirements {
  const folder = temporaryFolder();
  vi.stubEnv("DEPTHKIT_HOME", folder);
  return {
    requirements: writeFile(join(folder, "requirements.txt"), `${pin}\n`),
    constraints: writeFile(join(folder, "constraints.txt"), "six==1.17.0\n"),
    modules: [{ module: "six", package: "six" }],
    neededBytes: 1e6,
  };
}

/** Makes it, or skips the test where there is no package index to make it from. */
async function made(requirements: Requirements, skip: (note: string) => void, force = false) {
  try {
    return await ensureEnvironment({ requirements, force });
  } catch (error) {
    if (error instanceof DepthkitError && error.code === "NETWORK") skip("no package index can be reached");
    throw error;
  }
}

/** Puts uv on the PATH, from the package index where it is not installed, or skips the test. */
async function uvOnPath(skip: (note: string) => void) {
  if ((await runChild("uv", ["--version"])).code === 0) return;
  const { executable } = await findInterpreter();
  const folder = temporaryFolder();
  const { code } = await runModule(executable, ["pip", "install", "-q", "--target", folder, "uv"]);
  if (code !== 0) skip("no package index can be reached");
  vi.stubEnv("PATH", `${join(folder, "bin")}${delimiter}${process.env["PATH"]}`);
}

describe("the managed environment", () => {
  test("is made in place of an unfinished one, left alone, replaced when damaged", async ({ skip }) => {
    const requirements = smallEnvironment();
    const { version } = await findInterpreter();
    const name = `py${version[0]}${version[1]}-${process.platform}-${process.arch}-${requirementsHash(requirements)}`;
    const leftover = writeFile(join(environmentsFolder(), name, "lib", "half-written"), "");
    const first = await made(requirements, skip);
    expect(first.marker.versions).toEqual({ six: "1.17.0" });
    expect(readdirSync(environmentsFolder())).toEqual([name]);
    expect(existsSync(leftover)).toBe(false);
    expect(existsSync(join(first.folder, "tmp"))).toBe(false);

    const again = await made(requirements, skip);
    expect(again.marker.createdAt).toBe(first.marker.createdAt);

    rmSync(first.python);
    const messages: string[] = [];
    const repaired = await ensureEnvironment({
      requirements,
      onProgress: ({ message }) => messages.push(message),
    });
    expect(messages.join("\n")).toMatch(/damaged: its interpreter is gone/);
    expect(repaired.marker.createdAt).not.toBe(first.marker.createdAt);
    expect(existsSync(repaired.python)).toBe(true);

    writeFile(requirements.constraints, "six==1.17.0\nidna==3.10\n");
    expect(environmentState(requirements)).toEqual({ kind: "missing" });
    const older = join(environmentsFolder(), "py311-linux-x64-0123456789ab");
    mkdirSync(older);
    expect(await pruneEnvironments([repaired.folder])).toEqual([older]);
    expect(readdirSync(environmentsFolder())).toEqual([name]);
  });

  test("two at once make it once", async ({ skip }) => {
    const requirements = smallEnvironment();
    const [one, other] = await Promise.all([made(requirements, skip), made(requirements, skip)]);
    expect(one.marker.createdAt).toBe(other.marker.createdAt);
  });

  test("an extra is installed once, beside what is there; one that fails is not taken for installed", async ({
    skip,
  }) => {
    const { folder } = await made(smallEnvironment(), skip);
    const extra = (pin: string): Requirements => ({
      requirements: writeFile(join(folder, "extra.txt"), `${pin}\n`),
      constraints: writeFile(join(folder, "extra-constraints.txt"), "six==1.17.0\n"),
      modules: [{ module: "tabulate", package: "tabulate" }],
      neededBytes: 1e6,
    });
    await ensureExtra("tables", extra("tabulate==0.10.0"), folder);
    const steps: string[] = [];
    const onProgress = ({ step }: StepProgress) => steps.push(step);
    await ensureExtra("tables", extra("tabulate==0.10.0"), folder, { onProgress });
    expect(steps).toEqual([]);
    await expect(ensureExtra("tables", extra("six==1.16.0"), folder)).rejects.toMatchObject({
      code: "SETUP_FAILED",
    });
    expect(existsSync(join(folder, "tmp"))).toBe(false);
    expect(existsSync(join(folder, "depthkit-extra-tables.json"))).toBe(false);
    expect(stateOfFolder(folder).kind).toBe("ready");
  });

  test.each(["environment", "download"] as const)("cancelled at %s leaves nothing", async (step) => {
    const requirements = smallEnvironment();
    const controller = new AbortController();
    const folders = () => (existsSync(environmentsFolder()) ? readdirSync(environmentsFolder()) : []);
    const hasBegun = () => folders().some((name) => existsSync(join(environmentsFolder(), name, "bin")));
    const making = ensureEnvironment({
      requirements,
      signal: controller.signal,
      onProgress: (progress) => {
        // A small package is there a moment after its download is announced; an environment takes a while.
        if (progress.step === "download") controller.abort();
        else if (progress.step === step) void until(hasBegun).then(() => controller.abort());
      },
    }).catch((error: unknown) => error);
    const failure = await making;
    // Without an index it fails before the second step; then there is nothing to cancel.
    expect(failure).toBeInstanceOf(DepthkitError);
    expect(["CANCELLED", "NETWORK"]).toContain((failure as DepthkitError).code);
    expect(readdirSync(environmentsFolder())).toEqual([]);
  });

  test("no network: NETWORK with what to check, and nothing left behind", async () => {
    const requirements = smallEnvironment();
    vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/");
    vi.stubEnv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/");
    vi.stubEnv("PIP_FIND_LINKS", "");
    vi.stubEnv("PIP_RETRIES", "0");
    vi.stubEnv("PIP_CONFIG_FILE", process.platform === "win32" ? "nul" : "/dev/null");
    await expect(ensureEnvironment({ requirements })).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringMatching(/index could not be reached/),
    });
    expect(readdirSync(environmentsFolder())).toEqual([]);
  });

  test("PyTorch's index cannot be reached: NETWORK, which names it and what to do", async ({ skip }) => {
    const { folder, python } = await made(smallEnvironment(), skip);
    // Nobody listens there, so nothing is downloaded wherever this runs.
    for (const name of ["HTTPS_PROXY", "https_proxy"]) vi.stubEnv(name, "http://127.0.0.1:9");
    vi.stubEnv("PIP_RETRIES", "0");
    vi.stubEnv("PIP_FIND_LINKS", "");
    const run = { python, folder, temporary: folder };
    await expect(installTorch(new PipInstaller(), "cu126", run, workerRequirements())).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringMatching(/torch==[0-9.]+\+cu126 was not found: PyTorch's index.*--torch/s),
    });
  });

  test("one that fails leaves the earlier one as it was", async ({ skip }) => {
    const requirements = smallEnvironment();
    const { folder, marker } = await made(requirements, skip);
    vi.stubEnv("DEPTHKIT_INSTALLER", "pip");
    vi.stubEnv("PIP_NO_INDEX", "1");
    vi.stubEnv("PIP_FIND_LINKS", "");
    await expect(ensureEnvironment({ requirements, force: true })).rejects.toMatchObject({ code: "NETWORK" });
    expect(readdirSync(environmentsFolder())).toEqual([basename(folder)]);
    const state = environmentState(requirements);
    expect(state.kind === "ready" && state.environment.marker).toEqual(marker);
  });

  test("pip and uv install the same files, and commands that start", async ({ skip }) => {
    const found = [];
    for (const installer of ["pip", "uv"]) {
      const requirements = smallEnvironment();
      if (installer === "uv") await uvOnPath(skip);
      vi.stubEnv("DEPTHKIT_INSTALLER", installer);
      const { folder, python, marker } = await made(requirements, skip);
      const packages = join(folder, marker.sitePackages);
      const entries = marker.entries.filter((name) => /^six/.test(name)).sort();
      const record = readFileSync(join(packages, "six-1.17.0.dist-info", "RECORD"), "utf8");
      // Each line is a file with its sha256; these say who installed it.
      const files = record
        .split(/\r?\n/)
        .filter((line) => !/INSTALLER|REQUESTED|RECORD|pycache|uv_/.test(line));
      found.push({ versions: marker.versions, entries, files: files.sort() });
      const pip = execFileSync(join(dirname(python), "pip"), ["--version"], { encoding: "utf8" });
      expect(pip).toContain(`pip ${PIP_VERSION} from ${folder}`);
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[0]?.files.some((line) => line.startsWith("six.py,sha256="))).toBe(true);
  });

  test("uv without a network, and a pin that no index has: told as with pip, and nothing left behind", async ({
    skip,
  }) => {
    await uvOnPath(skip);
    vi.stubEnv("DEPTHKIT_INSTALLER", "uv");
    const missing = smallEnvironment("six==999.0");
    writeFile(missing.constraints, "");
    await expect(ensureEnvironment({ requirements: missing })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      details: { reason: "no-matching-wheel", installer: "uv" },
      message: expect.stringContaining("six==999.0"),
    });
    vi.stubEnv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/");
    vi.stubEnv("UV_HTTP_RETRIES", "0");
    vi.stubEnv("UV_NO_CACHE", "1");
    await expect(ensureEnvironment({ requirements: smallEnvironment() })).rejects.toMatchObject({
      code: "NETWORK",
      details: { installer: "uv" },
    });
    expect(readdirSync(environmentsFolder())).toEqual([]);
  });

  test("a pin that no index has: SETUP_FAILED, which names it", async ({ skip }) => {
    const requirements = smallEnvironment("six==999.0");
    writeFile(requirements.constraints, "");
    await expect(made(requirements, skip)).rejects.toMatchObject({
      code: "SETUP_FAILED",
      details: { reason: "no-matching-wheel" },
      message: expect.stringContaining("six==999.0"),
    });
    expect(readdirSync(environmentsFolder())).toEqual([]);
  });

  test("too little space: DISK_FULL before anything is begun", async () => {
    const requirements = { ...smallEnvironment(), neededBytes: 1e18 };
    await expect(ensureEnvironment({ requirements })).rejects.toMatchObject({
      code: "DISK_FULL",
      message: expect.stringMatching(/needs about .* TB in .*free\. Free some space, or set DEPTHKIT_HOME/),
    });
    expect(readdirSync(environmentsFolder())).toEqual([]);
  });

  test("a cache that is a file: SETUP_FAILED, which names DEPTHKIT_HOME", async () => {
    const requirements = smallEnvironment();
    vi.stubEnv("DEPTHKIT_HOME", requirements.requirements);
    await expect(ensureEnvironment({ requirements })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("DEPTHKIT_HOME"),
    });
  });
});

describe.skipIf(process.platform === "win32")("DEPTHKIT_PYTHON", () => {
  test("without the modules: MODULE_MISSING, which names them and the command", async () => {
    const { executable } = await findInterpreter();
    const home = temporaryFolder();
    const bare = join(home, "bare");
    mkdirSync(bare);
    vi.stubEnv("DEPTHKIT_HOME", home);
    // A module of this name that fails stands in for one that is absent, whatever this Python has.
    writeFile(join(bare, "torch.py"), "raise ImportError('libcudart.so.13: cannot open shared object file')");
    writeFile(join(bare, "msgspec.py"), "raise ModuleNotFoundError(\"No module named 'msgspec'\")");
    vi.stubEnv("PYTHONPATH", bare);
    vi.stubEnv("DEPTHKIT_PYTHON", executable);
    const failure = setup();
    await expect(failure).rejects.toMatchObject({ code: "MODULE_MISSING" });
    await expect(failure).rejects.toThrow(/msgspec: ModuleNotFoundError[\s\S]*torch: ImportError: libcudart/);
    await expect(failure).rejects.toThrow(/-m pip install .*"msgspec==.*"torch==/);
  });

  test("that does not exist: PYTHON_NOT_FOUND", async () => {
    vi.stubEnv("DEPTHKIT_HOME", temporaryFolder());
    vi.stubEnv("DEPTHKIT_PYTHON", "/nope");
    await expect(setup()).rejects.toMatchObject({
      code: "PYTHON_NOT_FOUND",
      message: expect.stringContaining("/nope"),
    });
  });
});
