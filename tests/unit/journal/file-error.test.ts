import { expect, test } from "vitest";
import { DepthkitError } from "../../../src/errors.ts";
import { asJournalError } from "../../../src/journal/file-error.ts";

const failure = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

test.each([
  ["ENOSPC", "DISK_FULL"],
  ["EDQUOT", "DISK_FULL"],
  ["EFBIG", "DISK_FULL"],
  ["EACCES", "INVALID_ARGUMENT"],
  ["ENOTDIR", "INVALID_ARGUMENT"],
])("%s is said as %s, with the file", (code, expected) => {
  const cause = failure(code);
  expect(asJournalError(cause, "runs/a.jsonl")).toMatchObject({
    code: expected,
    message: expect.stringContaining("runs/a.jsonl"),
    cause,
  });
});

test("what is no failure of a file passes as it is", () => {
  const own = new DepthkitError("CLOSED", "closed");
  expect(asJournalError(own, "x")).toBe(own);
  const other = new TypeError("a fault of ours");
  expect(asJournalError(other, "x")).toBe(other);
});
