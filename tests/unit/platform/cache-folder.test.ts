import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { cacheFolder } from "../../../src/platform/cache-folder.ts";

test.each([
  [{ DEPTHKIT_HOME: "some/where", XDG_CACHE_HOME: "/x" }, "linux", resolve("some/where")],
  [{ XDG_CACHE_HOME: "/x" }, "linux", join("/x", "depthkit")],
  [{ DEPTHKIT_HOME: "", XDG_CACHE_HOME: "" }, "linux", join(homedir(), ".cache", "depthkit")],
  [{}, "darwin", join(homedir(), "Library", "Caches", "depthkit")],
  [{ LOCALAPPDATA: "/local" }, "win32", join("/local", "depthkit")],
] as const)("%j on %s", (variables, platform, expected) => {
  expect(cacheFolder(variables, platform)).toBe(expected);
});
