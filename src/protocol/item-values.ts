import { z } from "zod";
import { named } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

/** What an evaluation found of single items: chunks of a text, questions, prompts. */
export const itemValues = named(
  "ItemValues",
  z.strictObject({
    items: tensorRef.describe("uint32 (items): their places among all, from 0."),
    ends: tensorRef.describe("uint32 (items): values up to and with each item."),
    values: tensorRef.describe("float64 (values), item after item; what they are is the method's to say."),
  }),
);

/** What an evaluation need not do again. */
export const knownItems = itemValues
  .nullable()
  .default(null)
  .describe(
    "Items known from before; where it is given, though empty, others are sent as they are finished.",
  );
