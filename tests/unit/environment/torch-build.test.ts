import { expect, test } from "vitest";
import { checkBuild } from "../../../src/environment/install-torch.ts";
import { buildForDriver, buildOf, chooseTorch, wheelIndex } from "../../../src/environment/torch-build.ts";

test.each([
  ["580.65.06", "cu130"],
  ["595.10", "cu130"],
  ["579.99", "cu126"],
  ["525.60.13", "cu126"],
  ["470.42.01", "cpu"],
  [undefined, "cpu"],
] as const)("a driver %s runs the build %s", (driver, build) => {
  expect(buildForDriver(driver)).toBe(build);
});

test("a build comes from PyTorch's index where the package index has another one", () => {
  expect(wheelIndex("cpu", "linux")).toMatch(/^https:\/\/download\.pytorch\.org\/whl\/cpu$/);
  expect(wheelIndex("cu126", "linux")).toMatch(/\/cu126$/);
  expect(wheelIndex("cu130", "linux")).toBeUndefined();
  expect(wheelIndex("cpu", "win32")).toBeUndefined();
  expect(wheelIndex("cu130", "win32")).toMatch(/\/cu130$/);
  expect(wheelIndex("cpu", "darwin")).toBeUndefined();
});

test("what is installed says its build, and another one than was asked for is refused", () => {
  expect(buildOf("2.13.0+cpu", "linux")).toBe("cpu");
  expect(buildOf("2.13.0", "linux")).toBe("cu130");
  expect(buildOf("2.13.0", "darwin")).toBe("cpu");
  expect(() => checkBuild("cu126", "2.13.0+cpu")).toThrow(/asked for torch's build cu126.*--torch cpu/s);
  expect(() => checkBuild("cpu", "2.13.0+cpu")).not.toThrow();
});

test("a Mac has one build", async () => {
  expect(await chooseTorch("auto", undefined, "darwin")).toBe("cpu");
  await expect(chooseTorch("cu130", undefined, "darwin")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("what was asked for is taken", async () => {
  expect(await chooseTorch("cu126", undefined, "linux")).toBe("cu126");
});
