import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  environmentPython,
  isEnvironmentName,
  sitePackages,
} from "../../../src/environment/environment-folder.ts";
import { markerFile, writeMarker } from "../../../src/environment/environment-marker.ts";
import { stateOfFolder } from "../../../src/environment/environment-state.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

const interpreter = {
  version: [3, 12, 1] as [number, number, number],
  executable: "python",
  implementation: "CPython",
  bits: 64,
  venv: true,
  ensurepip: true,
  machine: "x86_64",
  libc: "",
};

/** A finished environment, as far as its marker can tell. */
function environment(): { folder: string; packages: string; base: string } {
  const root = temporaryFolder();
  const folder = join(root, "env");
  const packages = join(folder, sitePackages(12));
  const base = writeFile(join(root, "base-python"), "");
  mkdirSync(dirname(environmentPython(folder)), { recursive: true });
  symlinkSync(base, environmentPython(folder));
  writeFile(join(packages, "torch", "__init__.py"), "");
  writeFile(join(packages, "torch", "lib", "libtorch.so"), "x".repeat(1_500_000));
  writeFile(join(packages, "zmq", "__init__.py"), "");
  writeMarker(folder, interpreter, { torch: "2.13.0" });
  return { folder, packages, base };
}

describe.skipIf(process.platform === "win32")("a marked environment", () => {
  test("is ready as it was made, and after pip and caches changed", () => {
    const { folder, packages } = environment();
    mkdirSync(join(packages, "__pycache__"));
    mkdirSync(join(packages, "pip-27.0.dist-info"));
    expect(stateOfFolder(folder)).toMatchObject({
      kind: "ready",
      environment: { python: environmentPython(folder), marker: { versions: { torch: "2.13.0" } } },
    });
  });

  test.each<[string, (at: ReturnType<typeof environment>) => void, RegExp]>([
    ["its base interpreter was uninstalled", ({ base }) => rmSync(base), /interpreter is gone/],
    [
      "its link leads to another Python",
      ({ base }) => {
        renameSync(base, `${base}-3.13`);
        symlinkSync(`${base}-3.13`, base);
      },
      /become another one/,
    ],
    [
      "a package was removed",
      ({ packages }) => rmSync(join(packages, "zmq"), { recursive: true }),
      /zmq is gone/,
    ],
    [
      "a library was cut off",
      ({ packages }) => writeFileSync(join(packages, "torch", "lib", "libtorch.so"), ""),
      /libtorch\.so is damaged/,
    ],
    [
      "a library was removed",
      ({ packages }) => rmSync(join(packages, "torch", "lib", "libtorch.so")),
      /libtorch\.so is gone/,
    ],
  ])("is damaged when %s", (_, harm, reason) => {
    const at = environment();
    harm(at);
    expect(stateOfFolder(at.folder)).toMatchObject({
      kind: "damaged",
      reason: expect.stringMatching(reason),
    });
  });

  test("is unfinished without its marker, or with one that is no JSON", () => {
    const { folder } = environment();
    appendFileSync(markerFile(folder), "}");
    expect(stateOfFolder(folder).kind).toBe("unfinished");
    rmSync(markerFile(folder));
    expect(stateOfFolder(folder).kind).toBe("unfinished");
  });
});

test("only folders of our own naming count as environments", () => {
  expect(isEnvironmentName("py311-linux-x64-0123456789ab")).toBe(true);
  expect(isEnvironmentName("onnx-linux-x64-0123456789ab")).toBe(true);
  expect(isEnvironmentName("py311-linux-x64-0123456789ab.lock")).toBe(false);
  expect(isEnvironmentName("projects")).toBe(false);
});
