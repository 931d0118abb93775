import { expect, test } from "vitest";
import { inspectionProblems, problemOf } from "../../../src/doctor/doctor-problems.ts";
import { pinOf, requiredModules } from "../../../src/environment/requirements.ts";
import { DepthkitError } from "../../../src/errors.ts";

const pinned = () =>
  Object.fromEntries(requiredModules.map(({ package: name }) => [name, pinOf(name).split("==")[1] ?? null]));

test("an error is told apart from its remedy", () => {
  const error = new DepthkitError("ENVIRONMENT_MISSING", "It is missing. Run: npx depthkit setup");
  expect(problemOf(error)).toEqual({
    severity: "error",
    code: "ENVIRONMENT_MISSING",
    message: "It is missing.",
    remedy: "Run: npx depthkit setup",
  });
});

test("packages as pinned are no problem, another build of the same version neither", () => {
  const packages = { ...pinned(), torch: `${pinned()["torch"]}+cu130` };
  expect(inspectionProblems("python", true, { facts: { packages } })).toEqual([]);
});

test("an absent package is told once, with what to do to an interpreter of one's own", () => {
  const facts = { packages: { ...pinned(), torch: null } };
  const failure = { section: "devices", error: "ModuleNotFoundError: No module named 'torch'" } as const;
  const problems = inspectionProblems("/my/python", false, { facts, failure });
  expect(problems).toMatchObject([
    {
      code: "MODULE_MISSING",
      severity: "error",
      remedy: expect.stringContaining('"/my/python" -m pip install'),
    },
  ]);
});

test("another version is an error in the managed environment, a warning in one's own", () => {
  const facts = { packages: { ...pinned(), numpy: "1.0.0" } };
  expect(inspectionProblems("python", true, { facts })).toMatchObject([{ severity: "error" }]);
  expect(inspectionProblems("python", false, { facts })).toMatchObject([{ severity: "warning" }]);
});
