import { expect, test } from "vitest";
import { z } from "zod";
import { contract } from "../../../src/protocol/schema.ts";
import "../../../src/index.ts";
import "../../../src/schemas.ts";

test("the user's own registry stays the user's", () => {
  expect(contract._idmap.has("Generation")).toBe(true);
  const mine = z.object({ poem: z.string() });
  z.globalRegistry.add(mine, { id: "Generation" });
  expect(z.toJSONSchema(z.globalRegistry).schemas).toEqual({
    Generation: expect.objectContaining({ properties: { poem: { type: "string" } } }),
  });
});
