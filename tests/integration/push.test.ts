/** An export on a hub, from the command line: the real huggingface_hub, and a server on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Depthkit } from "../../src/index.ts";
import { cli } from "./cli.ts";
import { finish, hubEnvironment, startHub } from "./hub.ts";
import { tinyModel } from "./tiny-model.ts";

let folder: string;
let exported: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-push-"));
  exported = join(folder, "exported");
  await using kit = await Depthkit.start();
  const model = await kit.loadModel(await tinyModel(folder), { device: "cpu" });
  await model.without(["block.2"]).export(exported, { format: "huggingface" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function push(address: string, ...args: readonly string[]): ChildProcess {
  const env = hubEnvironment(address, folder);
  return spawn(process.execPath, [...cli, "push", exported, ...args, "--json"], { env });
}

test("what is pushed arrives byte for byte, once", async () => {
  const hub = await startHub(join(folder, "held"));
  const first = await finish(push(hub.address, "me/smaller", "--private", "--message", "Without block 2"));
  const again = await finish(push(hub.address, "me/smaller"));
  const nowhere = await finish(push(hub.address, "smaller"));
  await hub.close();
  const names = readdirSync(exported).sort();
  expect(first).toMatchObject({
    code: 0,
    document: { repo: "me/smaller", url: `${hub.address}/me/smaller`, created: true, deleted: [] },
  });
  expect(first.document.files.map(({ name }: { name: string }) => name)).toEqual(names);
  const held = join(folder, "held/me/smaller/main");
  const differs = (name: string) =>
    !readFileSync(join(held, name)).equals(readFileSync(join(exported, name)));
  expect(names.filter(differs)).toEqual([]);
  expect(again).toMatchObject({ code: 2, document: { error: { code: "TARGET_NOT_EMPTY" } } });
  expect(nowhere).toMatchObject({ code: 2, document: { error: { code: "INVALID_ARGUMENT" } } });
  expect(nowhere.document.error.message).toContain("OWNER/NAME");
});

test("Ctrl-C ends it in the middle of an upload, and the branch holds nothing new", async () => {
  const hub = await startHub(join(folder, "nothing"), "--hang");
  const child = push(hub.address, "me/smaller");
  expect(await hub.line()).toBe("hangs");
  child.kill("SIGINT");
  expect(await finish(child)).toMatchObject({ code: 130, document: { error: { code: "CANCELLED" } } });
  await hub.close();
  expect(readdirSync(join(folder, "nothing/me/smaller/main"))).toEqual([".gitattributes"]);
});
