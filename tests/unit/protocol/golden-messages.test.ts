import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { z } from "zod";
import { goldenMessages } from "../../../scripts/golden-messages.ts";
import { decode, encode } from "../../../src/protocol/codec.ts";
import "../../../src/protocol/methods.ts";
import { contract } from "../../../src/protocol/schema.ts";

const committed = JSON.parse(
  readFileSync(new URL("../../../schemas/golden-messages.json", import.meta.url), "utf8"),
) as { type: string; valid: boolean; why: string; packed: string }[];

function schemaNamed(type: string): z.ZodType {
  const schema = contract._idmap.get(type);
  if (schema === undefined) throw new Error(`No schema named ${type}`);
  return schema as z.ZodType;
}

test.each(committed)("$type, $why: valid is $valid", ({ type, valid, packed }) => {
  const value = decode(Buffer.from(packed, "hex"));
  expect(schemaNamed(type).safeParse(value).success).toBe(valid);
});

test("the committed bytes are what the codec writes", () => {
  expect(committed.map(({ packed }) => packed)).toEqual(
    goldenMessages.map(({ value }) => Buffer.from(encode(value)).toString("hex")),
  );
});
