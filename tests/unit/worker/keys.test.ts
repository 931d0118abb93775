import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DepthkitError } from "../../../src/errors.ts";
import { makeKeys, readKeys } from "../../../src/worker/keys.ts";
import { checkAddress } from "../../../src/worker/remote-address.ts";
import { temporaryFolder } from "../platform/temporary-folder.ts";

const posix = process.platform !== "win32";

function refusal(call: () => unknown): DepthkitError {
  try {
    call();
  } catch (error) {
    if (error instanceof DepthkitError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

test("a secret stays in its file, which is its owner's alone; the public key stands beside it", () => {
  const file = join(temporaryFolder(), "laptop.keys");
  const made = makeKeys(file);
  const { secret, public: own } = readKeys(file);
  expect(JSON.stringify(made)).not.toContain(secret);
  expect(readFileSync(made.publicFile, "utf8")).toBe(`${own}\n`);
  expect(made).toMatchObject({ file, publicFile: file.replace(".keys", ".pub"), public: own, trusted: [] });
  if (posix) expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("keys are never written over; whom they trust is added to", () => {
  const folder = temporaryFolder();
  const [laptop, gpu] = ["laptop.keys", "gpu.keys"].map((name) => join(folder, name)) as [string, string];
  makeKeys(gpu);
  makeKeys(laptop, { trust: [join(folder, "gpu.pub")] });
  const before = readKeys(laptop);
  expect(refusal(() => makeKeys(laptop)).code).toBe("TARGET_NOT_EMPTY");
  expect(readKeys(laptop)).toEqual(before);
  makeKeys(join(folder, "office.keys"));
  expect(makeKeys(laptop, { trust: [join(folder, "office.pub")] }).trusted).toEqual(["gpu", "office"]);
  expect(readKeys(laptop)).toMatchObject({ public: before.public, secret: before.secret });
  if (posix) expect(statSync(laptop).mode & 0o777).toBe(0o600);
});

test.skipIf(!posix)("a key file that others can open is refused", () => {
  const file = join(temporaryFolder(), "laptop.keys");
  makeKeys(file);
  chmodSync(file, 0o640);
  expect(refusal(() => readKeys(file))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("chmod 600"),
  });
});

test("a key file in place of a public key is refused, as is what is none, and nothing is made", () => {
  const folder = temporaryFolder();
  const laptop = join(folder, "laptop.keys");
  makeKeys(laptop);
  const { secret } = readKeys(laptop);
  const wrong = refusal(() => makeKeys(join(folder, "gpu.keys"), { trust: [laptop] }));
  expect(wrong.code).toBe("INVALID_ARGUMENT");
  expect(wrong.message).not.toContain(secret);
  expect(existsSync(join(folder, "gpu.keys"))).toBe(false);
  const missing = refusal(() => makeKeys(laptop, { trust: [join(folder, "none.pub")] }));
  expect(missing.code).toBe("FILE_NOT_FOUND");
  writeFileSync(laptop, "{}", { mode: 0o600 });
  expect(refusal(() => readKeys(laptop)).code).toBe("INVALID_ARGUMENT");
});

test.each(["tcp://gpu:5555", "tcp://10.0.0.7:1", "tcp://[fe80::1]:65535"])(
  "%s can be connected to",
  (url) => {
    checkAddress("connect", url, { listen: false });
  },
);

test.each([
  "gpu:5555",
  "http://gpu:5555",
  "ipc:///tmp/x",
  "tcp://gpu",
  "tcp://gpu:0",
  "tcp://gpu:70000",
  "tcp://*:5555",
  "tcp://gpu:*",
  "tcp://fe80::1:5555",
  "tcp://gpu:5555/path",
])("%s cannot", (url) => {
  expect(refusal(() => checkAddress("connect", url, { listen: false })).code).toBe("INVALID_ARGUMENT");
});

test("a worker may listen on every network, and at any port", () => {
  for (const url of ["tcp://*:5555", "tcp://127.0.0.1:*", "tcp://0.0.0.0:5555"]) {
    checkAddress("listen", url, { listen: true });
  }
});
