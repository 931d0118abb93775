import { expect, test } from "vitest";
import { asFileError, checkDiskSpace, saysDiskFull, systemCode } from "../../../src/platform/file-error.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const work = {
  doing: "Writing a thing",
  path: "a/thing",
  whenFull: "Free some space.",
  code: "SETUP_FAILED",
  otherwise: "Take another place.",
} as const;
const failure = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

test("a full disk has a code of its own, every other failure of the system the caller's", () => {
  expect(asFileError(failure("ENOSPC"), work)).toMatchObject({
    code: "DISK_FULL",
    message: "Writing a thing failed: the disk of a/thing is full. Free some space.",
  });
  expect(asFileError(failure("EDQUOT"), work)).toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining("quota on the disk of a/thing is used up"),
  });
  expect(asFileError(failure("EFBIG"), work)).toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining("a/thing is larger than its file system"),
  });
  expect(asFileError(failure("EBUSY"), work)).toMatchObject({
    code: "SETUP_FAILED",
    message: "Writing a thing failed: a/thing cannot be used (EBUSY: it failed). Take another place.",
  });
});

test("a wrong call of ours is none of the system's failures", () => {
  const fault = failure("ERR_INVALID_ARG_TYPE");
  expect(systemCode(fault)).toBeUndefined();
  expect(asFileError(fault, work)).toBe(fault);
});

test.each([
  "OSError: [Errno 28] No space left on device",
  "[Errno 122] Disk quota exceeded",
  "[Errno 69] Disc quota exceeded",
  "OSError: [Errno 27] File too large",
  "SafetensorError: Error while serializing: I/O error: x (os error 122)",
  "[WinError 112] x",
])("%s says that the disk is full", (text) => expect(saysDiskFull(text)).toBe(true));

test("space is checked before work is begun, in a folder that is not there yet too", async () => {
  const folder = `${temporaryFolder()}/not/there`;
  await expect(checkDiskSpace(folder, 1, "It")).resolves.toBeUndefined();
  await expect(checkDiskSpace(folder, 1e18, "It")).rejects.toMatchObject({ code: "DISK_FULL" });
});
