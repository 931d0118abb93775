import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { environmentPython } from "../../../src/environment/environment-folder.ts";
import { markerFile } from "../../../src/environment/environment-marker.ts";
import { buildFolder, recover, swapIn } from "../../../src/environment/replace-environment.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

const marker = JSON.stringify({
  format: 1,
  createdAt: "2026-01-01T00:00:00.000Z",
  python: [3, 11, 0],
  interpreter: "python",
  sitePackages: "lib",
  versions: {},
  entries: [],
  libraries: {},
});
/** A folder that is taken for a whole environment, with a name in it to know it by. */
const whole = (folder: string, name: string) => {
  writeFile(join(folder, name), "");
  writeFile(markerFile(folder), marker);
};
const commandOf = (folder: string) => join(environmentPython(folder), "..", "command");

function place() {
  const folder = join(temporaryFolder(), "environment");
  const building = buildFolder(folder);
  mkdirSync(building, { recursive: true });
  writeFile(commandOf(building), `#!${environmentPython(building)}\n`);
  return { folder, building, names: () => readdirSync(join(folder, "..")) };
}

test("the new one takes the place, and its commands begin with the path of that", async () => {
  const { folder, names } = place();
  whole(folder, "earlier");
  await swapIn(folder, () => whole(folder, "finished"));
  expect(names()).toEqual(["environment"]);
  expect(existsSync(join(folder, "earlier"))).toBe(false);
  expect(readFileSync(commandOf(folder), "utf8")).toBe(`#!${environmentPython(folder)}\n`);
});

test("where the last step fails the earlier one is back, or nothing where there was none", async () => {
  const fail = () => {
    throw new Error("the disk is full");
  };
  const { folder, names } = place();
  whole(folder, "earlier");
  await expect(swapIn(folder, fail)).rejects.toThrow("the disk is full");
  expect(names()).toEqual(["environment"]);
  expect(readdirSync(folder).sort()).toEqual(["depthkit-env.json", "earlier"]);
  const other = place();
  await expect(swapIn(other.folder, fail)).rejects.toThrow("the disk is full");
  expect(other.names()).toEqual([]);
});

test("what a killed set-up left: half a new one goes, and the earlier one comes back where none is whole", async () => {
  const { folder, names } = place();
  whole(`${folder}.old`, "earlier");
  writeFile(join(folder, "half"), "");
  await recover(folder);
  expect(names()).toEqual(["environment"]);
  expect(existsSync(join(folder, "earlier"))).toBe(true);
  whole(`${folder}.old`, "older");
  await recover(folder);
  expect(names()).toEqual(["environment"]);
  expect(existsSync(join(folder, "earlier"))).toBe(true);
});
