import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ExtraName, extraNames } from "../../../src/environment/extra-names.ts";
import { extraRequirements } from "../../../src/environment/extras.ts";
import { onnxRequirements } from "../../../src/environment/onnx-environment.ts";
import {
  pinOf,
  requiredModules,
  requirementsHash,
  workerRequirements,
} from "../../../src/environment/requirements.ts";
import { setup } from "../../../src/environment/setup.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

function hashOf(requirements: string, constraints: string): string {
  const folder = temporaryFolder();
  return requirementsHash({
    requirements: writeFile(join(folder, "requirements.txt"), requirements),
    constraints: writeFile(join(folder, "constraints.txt"), constraints),
    modules: [],
    neededBytes: 0,
  });
}

test("the hash changes with a pin of either file, and with nothing else", () => {
  const before = hashOf("a==1\nb==2\n", "c==3\n");
  expect(before).toMatch(/^[0-9a-f]{12}$/);
  expect(hashOf("# why\r\na==1\r\nb==2  # and this\r\n\r\n", "c==3")).toBe(before);
  expect(hashOf("a==1\nb==3\n", "c==3\n")).not.toBe(before);
  expect(hashOf("a==1\nb==2\n", "c==4\n")).not.toBe(before);
  expect(hashOf("a==1\n", "b==2\nc==3\n")).not.toBe(before);
});

test("every package the worker imports is pinned", () => {
  for (const { package: name } of requiredModules) expect(pinOf(name)).toMatch(new RegExp(`^${name}==[0-9]`));
  expect(pinOf("no-such-package")).toBe("no-such-package");
});

test("every requirement is pinned in the constraints to the same version", () => {
  const { requirements, constraints } = workerRequirements();
  for (const { package: name } of requiredModules) {
    expect(pinOf(name, constraints)).toBe(pinOf(name, requirements));
  }
});

test("an extra is pinned, and pins nothing of the worker's to another version", () => {
  for (const extra of extraNames.filter((name) => name !== "onnx")) {
    const { requirements, constraints, modules } = extraRequirements(extra);
    for (const { package: name } of modules) expect(pinOf(name, requirements)).toMatch(/==[0-9]/);
    const pins = readFileSync(requirements, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(pins.length).toBeGreaterThan(0);
    for (const line of pins) {
      // Some packages are of one system alone.
      expect(line).toMatch(/^[a-z0-9-]+==[^ ;]+( ; sys_platform == "[a-z]+")?$/);
      const [pin = ""] = line.split(" ; ");
      const [name = ""] = pin.split("==");
      expect([name, pin]).toContain(pinOf(name, constraints).split(" ;")[0]);
    }
  }
});

test("the environment of onnx pins all that it imports, and its constraints the same", () => {
  const { requirements, constraints, modules } = onnxRequirements();
  for (const { package: name } of modules) {
    expect(pinOf(name, requirements)).toMatch(/==[0-9]/);
    expect(pinOf(name, constraints)).toBe(pinOf(name, requirements));
  }
});

test("an extra there is not is refused", async () => {
  const extras = ["lm-evil"] as unknown as ExtraName[];
  await expect(setup({ with: extras })).rejects.toThrow(
    /with\.0: expected one of lm-eval, parquet, ray, mlx, bitsandbytes, compressed-tensors, onnx; got "lm-evil"/,
  );
});
