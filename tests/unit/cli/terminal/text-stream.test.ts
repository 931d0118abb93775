import { expect, test } from "vitest";
import { textStream } from "../../../../src/cli/terminal/text-stream.ts";

test("texts stand below their prompts as they grow, those without text too", () => {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) > 0 };
  const view = textStream(stream, ["One", "Two", "Three"]);
  view.write({ prompt: 0, text: " is" });
  view.write({ prompt: 0, text: " a number" });
  expect(written.join("")).toBe("> One\n is a number");
  view.write({ prompt: 2, text: " more" });
  view.end();
  expect(written.join("")).toBe("> One\n is a number\n\n> Two\n\n\n> Three\n more\n\n");
});

test("what wrote nothing leaves nothing", () => {
  const written: string[] = [];
  textStream({ write: (text: string) => written.push(text) > 0 }, ["One"]).end();
  expect(written).toEqual([]);
});
