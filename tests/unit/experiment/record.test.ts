import { expect, test } from "vitest";
import { recordSchema } from "../../../src/schemas.ts";

test("a record of another version is refused by its version", () => {
  const { issues } = recordSchema.safeParse({ recordVersion: 1 }).error ?? { issues: [] };
  expect(issues.find(({ path }) => path[0] === "recordVersion")?.message).toBe("Invalid input: expected 3");
});
